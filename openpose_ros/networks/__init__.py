"""Networks: from a card to a torch module. Backbones and stages are pieces of their own, put together by type."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from openpose_ros.card import Card, CardError
from openpose_ros.networks.settings import checked

if TYPE_CHECKING:
    from openpose_ros.networks.stages import PoseNetwork

NETWORKS: dict[str, tuple[str, str]] = {
    "openpose": ("openpose_ros.networks.openpose", "OpenPose"),
    "lightweight": ("openpose_ros.networks.lightweight", "LightweightOpenPose"),
}
"""Network types of cards: module and class, imported when one is built."""


def build(card: Card) -> PoseNetwork:
    """The torch module that a card describes, with random weights.

    ``card.network["type"]`` names the class, its other entries are the class's settings, and the skeleton says how
    many joints and limbs the outputs have.

    Raises:
        CardError: the type, a setting or its value is unknown, or the network's stride is not the card's.
    """
    place = card.path or card.name
    settings = dict(card.network)
    kind = settings.pop("type")
    if kind not in NETWORKS:
        raise CardError(f"{place}: no network of type {kind!r} to build; expected one of {', '.join(NETWORKS)}")
    module, name = NETWORKS[kind]
    network_class: type[PoseNetwork] = getattr(import_module(module), name)
    try:
        known = checked(network_class, settings, f"network {kind}")
        network = network_class(len(card.skeleton.joints), len(card.skeleton.limbs), **known)
    except ValueError as error:
        raise CardError(f"{place}: {error}") from None
    if network.stride != card.stride:
        raise CardError(f"{place}: stride is {card.stride}, but this network has {network.stride}")
    return network
