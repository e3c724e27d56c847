"""What a network is compared with: another network, another setting, or people found earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from openpose_ros.option import Option, OptionSet
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions

SETS: tuple[type[OptionSet], ...] = (InputOptions, DecodeOptions, BackendOptions)


@dataclass(frozen=True)
class Other:
    """B, where ``evaluate`` compares A with B.

    Attributes:
        name: for people.
        model: to run; empty where ``results`` holds what was found.
        results: file of COCO keypoint results; None where a model is to be run.
        inputs, decode, backend: settings of the model.
    """

    name: str
    model: str
    results: Path | None
    inputs: InputOptions
    decode: DecodeOptions
    backend: BackendOptions


def read_other(
    words: Sequence[str], model: str, inputs: InputOptions, decode: DecodeOptions, backend: BackendOptions
) -> Other:
    """B from the words after ``--versus``, and A's model and settings, which B has where the words say nothing.

    Args:
        words: a model or a results file (``.json``), if any, and settings such as ``complete=true`` in any order; a
            word may hold several settings with spaces between them.

    Raises:
        ValueError: the words make no sense; the text says which one and what was expected.
    """
    settings = [part for word in words if "=" in word for part in word.split()]
    others = [word for word in words if "=" not in word]
    if len(others) > 1:
        raise ValueError(f"versus names {others[0]!r} and {others[1]!r}; expected one model or results file at most")
    changed = _changes(settings)
    results = Path(others[0]) if others and others[0].endswith(".json") else None
    if results is not None and settings:
        raise ValueError(f"{settings[0]} cannot change {results}, which holds people found earlier")
    made = [
        type(chosen).from_mapping({**asdict(chosen), **{k: v for k, v in changed.items() if hasattr(chosen, k)}})
        for chosen in (inputs, decode, backend)
    ]
    name = " ".join([*others, *settings])
    return Other(name, others[0] if others else model, results, *made)  # type: ignore[arg-type]


def _changes(settings: Sequence[str]) -> Mapping[str, object]:
    known = {option.name: option for options in SETS for option in options.options()}
    changed: dict[str, object] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        name = name.replace("-", "_")
        if name not in known:
            raise ValueError(f"{setting} is no setting; expected one of {', '.join(known)}, such as complete=true")
        changed[name] = _value(known[name], text)
    return changed


def _value(option: Option, text: str) -> object:
    """A text as the option's kind of value; left a text where it is none, for the option itself to refuse."""
    if option.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if option.kind in (int, float):
        try:
            return option.kind(text)
        except ValueError:
            return text
    return text
