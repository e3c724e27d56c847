"""Every setting, once.

ROS parameters, command-line flags, YAML files and ``docs/parameters.md`` are all derived from these classes.
"""

from openpose_ros.options.estimating import AdaptiveOptions as AdaptiveOptions
from openpose_ros.options.estimating import BackendOptions as BackendOptions
from openpose_ros.options.estimating import DecodeOptions as DecodeOptions
from openpose_ros.options.estimating import InputOptions as InputOptions
from openpose_ros.options.files import FrameOptions as FrameOptions
from openpose_ros.options.files import PictureOptions as PictureOptions
from openpose_ros.options.files import ResultOptions as ResultOptions
from openpose_ros.options.nodes import HealthOptions as HealthOptions
from openpose_ros.options.nodes import PoseNodeOptions as PoseNodeOptions
from openpose_ros.options.nodes import SourceNodeOptions as SourceNodeOptions
from openpose_ros.options.telling import EVERYBODY as EVERYBODY
from openpose_ros.options.telling import BridgeOptions as BridgeOptions
from openpose_ros.options.telling import DepthOptions as DepthOptions
from openpose_ros.options.telling import DrawOptions as DrawOptions
from openpose_ros.options.telling import MarkerOptions as MarkerOptions
from openpose_ros.options.telling import TrackOptions as TrackOptions
