"""Networks: from a card to a torch module. Backbones and stages are pieces of their own, put together by type."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING

from openpose_ros.card import Card, CardError

if TYPE_CHECKING:
    from openpose_ros.networks.lightweight import LightweightOpenPose as Network

NETWORKS: dict[str, tuple[str, str]] = {
    "lightweight": ("openpose_ros.networks.lightweight", "LightweightOpenPose"),
}
"""Network types of cards: module and class, imported when one is built."""


def build(card: Card) -> Network:
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
    network_class: type[Network] = getattr(import_module(module), name)
    known = {
        parameter.name: parameter.default
        for parameter in inspect.signature(network_class).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for setting, value in settings.items():
        if setting not in known:
            raise CardError(f"{place}: network {kind} has no setting {setting!r}; expected one of {', '.join(known)}")
        if type(value) is not type(known[setting]):
            raise CardError(f"{place}: network setting {setting} is {value!r}; expected one like {known[setting]!r}")
    try:
        network = network_class(len(card.skeleton.joints), len(card.skeleton.limbs), **settings)
    except ValueError as error:
        raise CardError(f"{place}: {error}") from None
    if network.stride != card.stride:
        raise CardError(f"{place}: stride is {card.stride}, but this network has {network.stride}")
    return network
