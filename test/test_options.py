"""Settings: checked wherever they come from, and derived flags that say the same."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from openpose_ros import options
from openpose_ros.option import OptionSet
from openpose_ros.options import AdaptiveOptions, BackendOptions, DecodeOptions, InputOptions, ResultOptions

EVERY = [
    value
    for value in vars(options).values()
    if isinstance(value, type) and issubclass(value, OptionSet) and value is not OptionSet
]
every_set = pytest.mark.parametrize("settings", EVERY, ids=lambda cls: cls.__name__)


def parsed(cls: type[Any], *arguments: str) -> Any:
    parser = argparse.ArgumentParser(exit_on_error=False)
    cls.add_arguments(parser)
    return cls.from_arguments(parser.parse_args(arguments))


@every_set
def test_every_default_is_allowed_and_described(settings: type[Any]) -> None:
    assert list(settings.options())
    for entry in settings.options():
        assert entry.check(entry.default) == entry.default
        assert type(entry.default) is entry.kind
        assert len(entry.description) > 10
        assert not entry.description.endswith(".")


@every_set
def test_defaults_come_back_from_a_mapping_and_from_the_command_line(settings: type[Any]) -> None:
    assert settings.from_mapping({}) == settings()
    assert settings.from_mapping(dataclasses.asdict(settings())) == settings()
    assert parsed(settings) == settings()


@every_set
def test_every_range_ends_where_it_says(settings: type[Any]) -> None:
    for entry in settings.options():
        for bound, beyond in ((entry.minimum, -1), (entry.maximum, 1)):
            if bound is None or entry.kind not in (int, float):
                continue
            assert entry.check(entry.kind(bound)) == bound
            outside = entry.kind(bound + beyond * max(1.0, abs(bound)))
            with pytest.raises(ValueError, match=rf"{entry.name} is {outside}; expected "):
                settings.from_mapping({entry.name: outside})


@pytest.mark.parametrize(
    ("settings", "values", "told"),
    [
        (DecodeOptions, {"samples": 10.0}, "samples is 10.0; expected a whole number"),
        (DecodeOptions, {"samples": True}, "samples is True; expected a whole number"),
        (DecodeOptions, {"samples": "10"}, "samples is '10'; expected a whole number"),
        (DecodeOptions, {"samples": None}, "samples is None; expected a whole number"),
        (DecodeOptions, {"samples": 1}, "samples is 1; expected 2 to 64"),
        (DecodeOptions, {"sample_ratio": "half"}, "sample_ratio is 'half'; expected a number"),
        (DecodeOptions, {"sample_ratio": False}, "sample_ratio is False; expected a number"),
        (DecodeOptions, {"sample_ratio": math.nan}, "sample_ratio is nan; expected a finite number"),
        (DecodeOptions, {"sample_ratio": math.inf}, "sample_ratio is inf; expected a finite number"),
        (DecodeOptions, {"heat_threshold": 0.0}, "heat_threshold is 0.0; expected 0.001 to 1"),
        (DecodeOptions, {"complete": 1}, "complete is 1; expected true or false"),
        (DecodeOptions, {"heat": 0.1}, "unknown option 'heat'; expected one of heat_threshold, "),
        (BackendOptions, {"backend": "caffe"}, "backend is 'caffe'; expected one of auto, tensorrt, torch, "),
        (BackendOptions, {"backend": 3}, "backend is 3; expected a text"),
        (BackendOptions, {"threads": -1}, "threads is -1; expected 0 to 1024"),
        (InputOptions, {"input_size": "large"}, "input_size is 'large'; expected a short side such as 368"),
        (InputOptions, {"input_size": ""}, "input_size is ''"),
        (InputOptions, {"input_size": "8"}, "input_size is '8'"),
        (InputOptions, {"input_size": "9000"}, "input_size is '9000'"),
        (InputOptions, {"input_size": "368x"}, "input_size is '368x'"),
        (InputOptions, {"input_size": "368x0"}, "input_size is '368x0'"),
        (InputOptions, {"input_size": "-368"}, "input_size is '-368'"),
        (InputOptions, {"input_size": "auto"}, "input_size is 'auto'"),
        (InputOptions, {"input_size": "autoxauto"}, "input_size is 'autoxauto'"),
        (AdaptiveOptions, {"adaptive_sizes": "256xauto,368xauto"}, "adaptive_sizes is '256xauto,368xauto'"),
        (ResultOptions, {"maps": "parts,hands"}, "maps is 'parts,hands'; expected some of parts, background, pafs"),
        (ResultOptions, {"fourcc": "mp4"}, "fourcc is 'mp4'; expected four letters such as mp4v"),
        (ResultOptions, {"maps_range": "raw"}, "maps_range is 'raw', but a png holds bytes"),
        (InputOptions, {"input_size": "368 x 656"}, "input_size is '368 x 656'"),
        (InputOptions, {"scales": ""}, "scales is ''; expected numbers from 0.1 to 8 such as 1,1.5"),
        (InputOptions, {"scales": "1,"}, "scales is '1,'"),
        (InputOptions, {"scales": "1;2"}, "scales is '1;2'"),
        (InputOptions, {"scales": "0.05"}, "scales is '0.05'"),
        (InputOptions, {"scales": "1,nan"}, "scales is '1,nan'"),
        (InputOptions, {"max_long_side": 10000}, "max_long_side is 10000; expected 0 to 8192"),
    ],
)
def test_a_wrong_value_is_refused_with_the_value_and_what_was_expected(
    settings: type[Any], values: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(told)) as caught:
        settings.from_mapping(values)
    assert "\n" not in str(caught.value)


def test_a_whole_number_will_do_for_a_number() -> None:
    ratio = DecodeOptions.from_mapping({"sample_ratio": 1}).sample_ratio
    assert ratio == 1.0
    assert type(ratio) is float


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("368", 368),
        ("16", 16),
        ("8192", 8192),
        ("256x456", (256, 456)),
        ("16x16", (16, 16)),
        ("368xauto", (368, 0)),
        ("autox656", (0, 656)),
    ],
)
def test_input_sizes_are_read(text: str, size: object) -> None:
    assert InputOptions(input_size=text).size() == size


@pytest.mark.parametrize(("text", "scales"), [("1", (1.0,)), ("0.5,1, 1.5", (0.5, 1.0, 1.5)), ("8", (8.0,))])
def test_scales_are_read_in_order(text: str, scales: tuple[float, ...]) -> None:
    assert InputOptions(scales=text).scale_list() == scales


def test_flags_set_what_they_name() -> None:
    given = parsed(
        DecodeOptions, "--heat-threshold", "0.2", "--samples", "5", "--complete", "--min-person-score", "0.5"
    )
    assert given == DecodeOptions(heat_threshold=0.2, samples=5, complete=True, min_person_score=0.5)


@pytest.mark.parametrize(("flags", "flip"), [((), False), (("--flip",), True), (("--flip", "--no-flip"), False)])
def test_yes_and_no_have_flags_of_their_own(flags: tuple[str, ...], flip: bool) -> None:
    assert parsed(InputOptions, *flags).flip is flip


@pytest.mark.parametrize(
    "arguments", [("--samples", "many"), ("--samples", "1.5"), ("--heat-threshold", "x")], ids=" ".join
)
def test_flags_of_the_wrong_kind_are_bad_usage(arguments: tuple[str, str]) -> None:
    with pytest.raises(argparse.ArgumentError, match=arguments[0]):
        parsed(DecodeOptions, *arguments)


def test_flags_offer_only_the_choices_there_are() -> None:
    with pytest.raises(argparse.ArgumentError, match="invalid choice: 'caffe'"):
        parsed(BackendOptions, "--backend", "caffe")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--samples", "1000"), "samples is 1000"), (("--sample-ratio", "nan"), "sample_ratio is nan")],
    ids=" ".join,
)
def test_flags_out_of_range_are_refused_as_everywhere(arguments: tuple[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parsed(DecodeOptions, *arguments)


@every_set
def test_the_help_tells_description_range_and_default_of_every_flag(settings: type[Any]) -> None:
    parser = argparse.ArgumentParser(formatter_class=lambda prog: argparse.HelpFormatter(prog, width=10_000))
    settings.add_arguments(parser)
    text = parser.format_help()
    for entry in settings.options():
        assert f"--{entry.name.replace('_', '-')}" in text
        assert entry.description in text
        assert text.count(f"(default: {entry.default!r}") >= 1
        if entry.minimum is not None and entry.maximum is not None:
            assert f"{entry.minimum:g} to {entry.maximum:g}" in text


def test_flags_that_are_not_offered_keep_their_default() -> None:
    parser = argparse.ArgumentParser()
    DecodeOptions.add_arguments(parser, skip=["samples"])
    with pytest.raises(SystemExit):
        parser.parse_args(["--samples", "5"])
    assert DecodeOptions.from_arguments(parser.parse_args([])) == DecodeOptions()


def test_what_a_card_knows_better_is_left_open_until_somebody_says_it() -> None:
    parser = argparse.ArgumentParser()
    DecodeOptions.add_arguments(parser, from_card=True)
    better = {entry.name for entry in DecodeOptions.options() if entry.from_card}
    assert "min_person_score" in better
    left = vars(parser.parse_args([]))
    assert {name for name, value in left.items() if value is None} == better
    assert "what the card says" in parser.format_help()
    assert DecodeOptions.from_arguments(parser.parse_args([])) == DecodeOptions()
    told = DecodeOptions.from_arguments(parser.parse_args(["--min-person-score", "0"]))
    assert told.min_person_score == 0.0


@every_set
def test_settings_cannot_be_changed_behind_the_back_of_a_frame(settings: type[Any]) -> None:
    chosen = settings()
    name = next(settings.options()).name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(chosen, name, getattr(chosen, name))


def test_numbers_of_numpy_are_not_smuggled_in() -> None:
    with pytest.raises(ValueError, match="samples"):
        DecodeOptions.from_mapping({"samples": np.int64(5)})
