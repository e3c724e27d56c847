"""Data: photos and labels from anywhere -> batches of crops, in an order that seed and position alone decide.

Readers yield a ``Record`` of each photo, ``Labels`` checks it and makes a ``Sample`` in the skeleton's order,
``centres`` says where crops are cut, ``Cropper`` cuts them, ``Crops`` knows the crop of every position of a run and
``TrainingLoader`` delivers them as batches.
"""

from openpose_ros.training.data.crops import Crops
from openpose_ros.training.data.loader import Batches, TrainingLoader, loader
from openpose_ros.training.data.report import Report, show
from openpose_ros.training.data.sample import Sample
from openpose_ros.training.data.sources import Opened, Source, sources

__all__ = ["Batches", "Crops", "Opened", "Report", "Sample", "Source", "TrainingLoader", "loader", "show", "sources"]
