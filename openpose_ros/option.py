"""A setting: its default, what it means, what it may be, and whether a running node accepts a change."""

from __future__ import annotations

import argparse
import dataclasses
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Value = bool | int | float | str
Options = TypeVar("Options", bound="OptionSet")


@dataclass(frozen=True)
class Option:
    """One setting as its users see it."""

    name: str
    kind: type
    default: Value
    description: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    live: bool
    from_card: bool

    def check(self, value: object) -> Value:
        """The value in this option's type; a ValueError says in one sentence what is wrong with it."""
        wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[self.kind]
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.kind:
            raise ValueError(f"{self.name} is {value!r}; expected {wanted}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{self.name} is {value}; expected a finite number")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low = -math.inf if self.minimum is None else self.minimum
            high = math.inf if self.maximum is None else self.maximum
            if not low <= value <= high:
                raise ValueError(f"{self.name} is {value}; expected {_range_text(self.minimum, self.maximum)}")
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} is {value!r}; expected one of {', '.join(self.choices)}")
        return typing.cast(Value, value)


def option(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
    live: bool = False,
    from_card: bool = False,
) -> Any:
    """A dataclass field that knows how to present itself; ``from_card``: the model's card knows a better default."""
    about = {
        "from_card": from_card,
        "description": description, "minimum": minimum, "maximum": maximum, "choices": tuple(choices), "live": live,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=about)


class OptionSet:
    """Base of the dataclasses below: listing, checking, and reading from mappings and command lines."""

    @classmethod
    def options(cls) -> Iterator[Option]:
        """All settings of this class in the order of their declaration."""
        hints = typing.get_type_hints(cls)
        for entry in dataclasses.fields(typing.cast(Any, cls)):
            default = typing.cast(Value, entry.default)
            yield Option(name=entry.name, kind=hints[entry.name], default=default, **entry.metadata)

    @classmethod
    def from_mapping(cls: type[Options], values: Mapping[str, object]) -> Options:
        """Checked settings; an unknown name or a bad value is a ValueError that says which and why."""
        known = {entry.name: entry for entry in cls.options()}
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}; expected one of {', '.join(known)}")
        return cls(**{name: known[name].check(value) for name, value in values.items()})

    @classmethod
    def add_arguments(
        cls, parser: argparse.ArgumentParser, skip: Sequence[str] = (), from_card: bool = False, **defaults: object
    ) -> None:
        """One ``--flag`` for each setting, with its description, range and default.

        With ``from_card`` the settings that a card has an opinion on are None where they are not given; ``defaults``
        are a command's own.
        """
        group = parser.add_argument_group((cls.__doc__ or cls.__name__).splitlines()[0].rstrip("."))
        for entry in cls.options():
            if entry.name in skip:
                continue
            flag = "--" + entry.name.replace("_", "-")
            bounds = _range_text(entry.minimum, entry.maximum)
            left = from_card and entry.from_card
            default = defaults.get(entry.name, entry.default)
            told = "what the card says" if left else repr(default)
            about = f"{entry.description} (default: {told}{', ' + bounds if bounds else ''})"
            about = about.replace("%", "%%")
            if entry.kind is bool:
                group.add_argument(flag, action=argparse.BooleanOptionalAction, default=default, help=about)
            else:
                group.add_argument(
                    flag,
                    type=entry.kind,
                    default=None if left else default,
                    choices=entry.choices or None,
                    metavar=None if entry.choices else entry.kind.__name__.upper(),
                    help=about,
                )

    @classmethod
    def from_arguments(cls: type[Options], arguments: argparse.Namespace) -> Options:
        """The settings among parsed arguments; those that were not offered, or left to the card, keep their default."""
        given = {entry.name: getattr(arguments, entry.name, None) for entry in cls.options()}
        return cls.from_mapping({name: value for name, value in given.items() if value is not None})


def _range_text(minimum: float | None, maximum: float | None) -> str:
    if minimum is None and maximum is None:
        return ""
    if maximum is None:
        return f"at least {minimum:g}"
    if minimum is None:
        return f"at most {maximum:g}"
    return f"{minimum:g} to {maximum:g}"
