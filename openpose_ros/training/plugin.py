"""Classes and functions of a user's own, named in YAML by their dotted path: imported, never evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from openpose_ros.training.config import ConfigError


def locate(name: str, built_in: Mapping[str, Any], what: str) -> Any:
    """The built-in thing of this name, or the attribute of a module that a dotted path names.

    Args:
        name: such as ``cosine`` or ``my_package.schedules.Staircase``.
        built_in: names that need no path.
        what: how messages call the thing, such as ``schedule``.

    Raises:
        ConfigError: neither built in nor importable.
    """
    if name in built_in:
        return built_in[name]
    module, _, attribute = name.rpartition(".")
    if not module:
        raise ConfigError(f"no {what} {name!r}; expected one of {', '.join(built_in)}, or a dotted path to your own")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{what} {name!r} cannot be imported: {error}") from None


def build(entry: Mapping[str, Any], what: str) -> Any:
    """``{type: dotted.path, **arguments}`` -> an instance.

    Raises:
        ConfigError: no type, not importable, or it does not take these arguments.
    """
    arguments = dict(entry)
    name = arguments.pop("type", None)
    if not isinstance(name, str):
        raise ConfigError(f"{what} {dict(entry)} has no type; expected the dotted path of a class")
    try:
        return locate(name, {}, what)(**arguments)
    except TypeError as error:
        raise ConfigError(f"{what} {name}: {error}") from None
