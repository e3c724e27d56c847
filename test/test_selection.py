"""Which frames of a source are looked at, and how they are turned."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from openpose_ros.media import Frame, Frames
from openpose_ros.options import FrameOptions
from openpose_ros.selection import selected, turned


def source(count: int, total: int | None = -1, closed: list[bool] | None = None) -> Frames:
    def read() -> Iterator[Frame]:
        for index in range(count):
            yield Frame(np.full((4, 6, 3), index, np.uint8), f"clip {index}", f"clip_{index:012d}", index / 10, index)

    release = (lambda: None) if closed is None else (lambda: closed.append(True))
    return Frames("clip", read(), count if total == -1 else total, 10.0, release=release)


@pytest.mark.parametrize(
    ("options", "limit", "numbers"),
    [
        (FrameOptions(), 0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (FrameOptions(first_frame=3), 0, [3, 4, 5, 6, 7, 8, 9]),
        (FrameOptions(last_frame=2), 0, [0, 1, 2]),
        (FrameOptions(frame_step=4), 0, [0, 4, 8]),
        (FrameOptions(first_frame=1, frame_step=5), 0, [1, 6]),
        (FrameOptions(first_frame=2, last_frame=8, frame_step=3), 0, [2, 5, 8]),
        (FrameOptions(first_frame=2, frame_step=3), 2, [2, 5]),
        (FrameOptions(first_frame=50), 0, []),
        (FrameOptions(last_frame=99), 0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
    ids=str,
)
def test_frames_keep_their_numbers(options: FrameOptions, limit: int, numbers: list[int]) -> None:
    chosen = selected(source(10), options, limit)
    assert chosen.total == len(numbers)
    assert [(frame.index, frame.stem) for frame in chosen] == [(n, f"clip_{n:012d}") for n in numbers]


def test_a_video_of_every_third_frame_takes_as_long() -> None:
    assert selected(source(10), FrameOptions(frame_step=3)).rate == pytest.approx(10 / 3)


def test_nobody_knows_how_long_a_camera_goes_on() -> None:
    assert selected(source(10, None), FrameOptions(frame_step=2)).total is None
    assert selected(source(10, None), FrameOptions(), 7).total == 7
    assert selected(source(10, None), FrameOptions(last_frame=7, frame_step=2)).total == 4


def test_the_source_is_closed_with_what_was_chosen_of_it() -> None:
    closed: list[bool] = []
    with selected(source(10, closed=closed), FrameOptions(last_frame=1)) as chosen:
        assert len(list(chosen)) == 2
    assert closed


@pytest.mark.parametrize(("degrees", "quarters"), [(0, 0), (90, 1), (180, 2), (270, 3)])
@pytest.mark.parametrize("mirror", [False, True])
def test_frames_are_mirrored_first_and_turned_against_the_clock_then(degrees: int, quarters: int, mirror: bool) -> None:
    image = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    expected = np.rot90(image[:, ::-1] if mirror else image, quarters)
    np.testing.assert_array_equal(turned(image, FrameOptions(rotate=degrees, mirror=mirror)), expected)


def test_no_more_frames_a_second_than_asked() -> None:
    began = time.monotonic()
    assert len(list(selected(source(6), FrameOptions(max_fps=50.0)))) == 6
    assert time.monotonic() - began >= 5 / 50.0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="rotate is 45; expected 0, 90, 180 or 270"):
        FrameOptions(rotate=45)
    with pytest.raises(ValueError, match="last_frame is 3, before first_frame 5"):
        FrameOptions(first_frame=5, last_frame=3)
