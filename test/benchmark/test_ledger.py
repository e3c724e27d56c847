"""The arithmetic of a soak: every image sent is somewhere, and what grows is seen to grow."""

from __future__ import annotations

import pytest

from openpose_ros.benchmark.ledger import Ledger, held_rows, latency_rows, under_way
from openpose_ros.benchmark.process import Held
from openpose_ros.ros.tally import Tally


def value(rows: list[dict[str, object]], what: str) -> object:
    (found,) = [row["value"] for row in rows if row["what"] == what]
    return found


def test_images_are_under_way_until_something_is_said_of_them() -> None:
    assert under_way(Tally(received=10, replaced=1, outdated=1, broken=1, failed=1, processed=4)) == 2
    assert under_way(Tally(received=3, processed=3, unpaired=2, people=9, jumps=1)) == 0


def test_sum_that_adds_up_is_no_trouble() -> None:
    ledger = Ledger(sent=12, now=Tally(received=10, replaced=3, broken=1, processed=6))
    ledger.check("after a while")
    assert (ledger.checks, ledger.trouble, ledger.lost, ledger.unaccounted) == (1, [], 2, 0)


def test_image_of_which_nothing_is_said_is_a_sentence() -> None:
    ledger = Ledger(sent=12, now=Tally(received=10, replaced=3, processed=6))
    ledger.check("after the overload")
    (sentence,) = ledger.trouble
    assert sentence.startswith("after the overload, the node has received 10 images and says of 1 of them neither")
    assert "3 replaced" in sentence and "6 processed" in sentence


def test_image_that_is_counted_twice_is_trouble_too() -> None:
    ledger = Ledger(sent=12, now=Tally(received=10, failed=1, processed=10))
    ledger.check("at the end")
    assert len(ledger.trouble) == 1
    ledger = Ledger(sent=9, now=Tally(received=10, processed=10))
    ledger.check("at the end")
    assert ledger.trouble == ["at the end, the node has counted 1 images more than were sent"]


def test_counts_go_on_where_the_node_begins_anew() -> None:
    ledger = Ledger(sent=10, now=Tally(received=9, replaced=2, processed=7, people=3, seconds=0.5))
    ledger.begin()
    assert (ledger.total("received"), ledger.now.received) == (9, 0)
    ledger.sent, ledger.now = 30, Tally(received=20, replaced=1, processed=18)
    assert (ledger.total("received"), ledger.total("replaced"), ledger.total("processed")) == (29, 3, 25)
    assert (ledger.lost, ledger.unaccounted) == (1, 1)
    ledger.begin()
    assert ledger.unaccounted == 1  # a later beginning does not hide it


def test_rows_tell_where_every_image_went() -> None:
    ledger = Ledger(sent=12, unheard=5, between=2, now=Tally(received=10, replaced=3, outdated=1, processed=6))
    rows = ledger.rows()
    fates = ("transport", "replaced", "outdated", "broken", "failed", "processed", "not accounted")
    assert sum(int(str(value(rows, fate))) for fate in fates) == value(rows, "sent") == 12
    assert (value(rows, "unheard"), value(rows, "between")) == (5, 2)


def test_latency_is_told_in_milliseconds_or_in_frames() -> None:
    seconds = [0.01 * n for n in range(101)]
    rows = latency_rows(seconds, "in peace")
    assert [row["value"] for row in rows] == [500.0, 950.0, 990.0]
    assert {row["unit"] for row in rows} == {"ms"}
    rows = latency_rows(seconds, "overload", "frames", 20.0)
    assert [row["value"] for row in rows] == [10.0, 19.0, 19.8]
    (row,) = latency_rows([], "overload")
    assert row["value"] is None and "no result" in row["about"]


def test_growth_is_that_of_the_second_half() -> None:
    times = [float(second) for second in range(121)]
    seen = [Held(200.0 + (50.0 if t > 30 else t) + t / 60.0, 80.0, 20, 9, 0.25 * t) for t in times]
    rows = held_rows(times, seen, "of the node")
    assert value(rows, "own memory slope") == 0.0
    assert value(rows, "memory slope") == pytest.approx(1.0, abs=0.01)  # a megabyte a minute
    assert (value(rows, "memory first"), value(rows, "memory last")) == (200.0, 252.0)
    assert (value(rows, "open files slope"), value(rows, "threads most"), value(rows, "CPU")) == (0.0, 9, 25.0)


def test_a_single_look_is_no_growth() -> None:
    rows = held_rows([3.0], [Held(100.0, 80.0, 10, 4, 1.0)], "of the node")
    assert (value(rows, "memory slope"), value(rows, "CPU")) == (0.0, 0.0)
