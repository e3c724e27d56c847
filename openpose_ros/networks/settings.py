"""What a card's network table names and sets: a class by its name or dotted path, its settings checked against it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def named(name: str, known: Mapping[str, Any], what: str) -> Any:
    """The class of that name, or the one at a dotted path, which is imported, never evaluated.

    Raises:
        ValueError: there is none; the text lists those there are.
    """
    if name in known:
        return known[name]
    module, _, attribute = name.rpartition(".")
    if not module:
        raise ValueError(f"no {what} {name!r}; expected one of {', '.join(known)}, or a dotted path to your own")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{what} {name!r} cannot be imported: {error}") from None


def checked(kind: Any, settings: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The settings as keyword arguments of a class; each must be like the default that the class has for it.

    A whole number may stand for a fraction, a list for a tuple, and a table for the name of a part (:func:`part`).

    Raises:
        ValueError: a setting that the class does not have, or of another type.
    """
    known = {
        parameter.name: parameter.default
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    }
    given = {}
    for setting, value in settings.items():
        if setting not in known:
            raise ValueError(f"{what} has no setting {setting!r}; expected one of {', '.join(known) or 'none'}")
        default = known[setting]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        elif isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if type(value) is not type(default) and not (isinstance(default, str) and isinstance(value, Mapping)):
            raise ValueError(f"{what} setting {setting} is {value!r}; expected one like {default!r}")
        given[setting] = value
    return given


def part(given: str | Mapping[str, Any], known: Mapping[str, Any], what: str) -> tuple[Any, dict[str, Any]]:
    """Class and settings of a part of a network, such as its backbone.

    Args:
        given: its name or dotted path, or a table with these as ``type`` and its settings beside.
        known: classes by name.
        what: the part, for the text of errors.

    Raises:
        ValueError: the table names no type, there is no such part, or a setting is none of its.
    """
    table = dict(given) if isinstance(given, Mapping) else {"type": given}
    name = table.pop("type", None)
    if not isinstance(name, str):
        raise ValueError(f"{what} is {given!r}; expected a name, or a table with an entry 'type'")
    kind = named(name, known, what)
    return kind, checked(kind, table, f"{what} {name}")
