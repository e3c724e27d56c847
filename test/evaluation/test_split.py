"""Lists of photos: the one of the papers, and a user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pycocotools")

from openpose_ros.card import Card
from openpose_ros.evaluation.coco import DatasetError
from openpose_ros.evaluation.split import load_split, named_splits
from openpose_ros.skeleton import COCO_18

CARD = Card("a", {"type": "lightweight"}, COCO_18)


def test_the_list_of_the_papers_is_whole() -> None:
    split = load_split("coco2014-val-1k")
    assert named_splits() == ["coco2014-val-1k"]
    assert len(split.ids) == 1160
    assert {136, 192, 241, 71136, 71209} <= split.ids
    assert (min(split.ids), max(split.ids)) == (136, 71209)


@pytest.mark.parametrize(
    "text",
    [
        "785\n192\n",
        "785 192",
        "785, 192 # two photos\n# 5\n",
        "000000000785.jpg\nCOCO_val2014_000000000192.jpg",
        "1\t785\tCOCO_val2014_000000000785.jpg\t374\t500\n2\t192\tCOCO_val2014_000000000192.jpg\t480\t640\n",
    ],
)
def test_a_file_may_list_photos_in_many_ways(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(text)
    split = load_split(str(path))
    assert (split.name, split.ids) == ("mine.txt", {785, 192})


def test_a_split_that_does_not_exist_is_told() -> None:
    with pytest.raises(DatasetError, match="no split 'val-2k'; expected coco2014-val-1k or a text file"):
        load_split("val-2k")


@pytest.mark.parametrize("content", [b"", b"# 785\n", b"no numbers\n"])
def test_a_file_that_names_no_photo_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.txt names no photo"):
        load_split(str(tmp_path / "a.txt"))


@pytest.mark.parametrize(
    ("card", "seen"),
    [
        (CARD, 0),
        (replace(CARD, source="COCO train2017 and others"), 998),
        (replace(CARD, notes="trained on train 2017"), 998),
        (replace(CARD, accuracy={"AP": 50.0, "data": ["COCO Train2017"]}), 998),
        (replace(CARD, accuracy={"AP": 50.0, "photos": "COCO val2017"}), 0),
    ],
    ids=["nothing", "source", "notes", "accuracy", "evaluated"],
)
def test_a_network_that_saw_most_of_it_is_known_by_its_card(card: Card, seen: int) -> None:
    assert load_split("coco2014-val-1k").seen_in_training(card) == seen


def test_of_a_user_s_own_list_nothing_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("785")
    assert load_split(str(tmp_path / "a.txt")).seen_in_training(replace(CARD, source="train2017")) == 0
