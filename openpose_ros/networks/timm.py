"""Any network of the library timm as a backbone, by its name, through what timm calls features_only."""

from __future__ import annotations

from importlib import import_module

import torch
from torch import Tensor, nn


class Timm(nn.Module):
    """(B, 3, H, W) -> (B, channels, H / stride, W / stride): the deepest features of that stride.

    In a card: ``backbone: {type: timm, model: resnet18d, stride: 8}``. timm is needed where the network is built, and
    only there; normalisations are timm's own and stay in the finished network.

    Attributes:
        channels: of the features that come out.
        stride: input pixels per cell.
    """

    def __init__(
        self,
        *,
        batch_norm: bool = False,
        model: str = "mobilenetv3_large_100",
        stride: int = 8,
        dilated: bool = False,
        pretrained: bool = False,
    ) -> None:
        """Build, with random weights unless others are asked for.

        Args:
            batch_norm: no matter here, since timm's networks have what they have.
            model: as timm calls it.
            stride: of the features.
            dilated: let timm replace further strides by dilations and take the very last features; not all its
                networks can.
            pretrained: take timm's weights, which it looks for in its cache and else downloads.

        Raises:
            ValueError: timm is not installed, knows no such model, or the model has no features of that stride.
        """
        super().__init__()
        try:
            timm = import_module("timm")
        except ImportError as error:
            raise ValueError(f"the backbone timm needs the Python package timm ({error}): pip install timm") from None
        except RuntimeError as error:  # its torchvision was built for another PyTorch
            raise ValueError(
                f"timm is installed, but the torchvision that it needs does not go with this PyTorch, "
                f"{torch.__version__} ({error}): install the torchvision that belongs to it"
            ) from None
        settings = {"features_only": True, "pretrained": pretrained, **({"output_stride": stride} if dilated else {})}
        try:
            offered = timm.create_model(model, **{**settings, "pretrained": False}).feature_info.reduction()
            levels = [level for level, reduction in enumerate(offered) if reduction == stride]
            if not levels:
                raise ValueError(f"the model {model} of timm has strides {offered}; expected one of {stride}")
            self.features = timm.create_model(model, out_indices=(levels[-1],), **settings)
        except (RuntimeError, AttributeError, TypeError, NotImplementedError) as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise ValueError(f"timm cannot build {model!r} as a backbone: {reason}") from None
        self.channels = int(self.features.feature_info.channels()[0])
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, channels, H / stride, W / stride)."""
        features: Tensor = self.features(x)[0]
        return features
