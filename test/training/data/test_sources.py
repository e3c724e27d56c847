"""Sources: COCO, YOLO texts, plain folders, shards, and those of a user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from openpose_ros.card import Card
from openpose_ros.skeleton import COCO_18, Skeleton
from openpose_ros.training.config import ConfigError, DataConfig, RunConfig, SourceConfig
from openpose_ros.training.data import Crops, Opened, Sample, sources
from openpose_ros.training.data.picture import Picture
from openpose_ros.training.data.sources import Source, Table

Run = Callable[..., RunConfig]


def opened(source: SourceConfig) -> Opened:
    return sources(DataConfig(sources=[source]), COCO_18)[0]


def samples(source: SourceConfig) -> Source:
    found = opened(source).samples
    assert isinstance(found, Source)
    return found


def test_coco_lists_its_photos_and_counts_those_that_are_missing(run: Run) -> None:
    source = run(4).data.sources[0]
    (Path(source.images) / "000003.png").unlink()
    found = opened(source)
    assert found.report.dropped == {"photo missing": 1}
    assert found.report.examples == {"photo missing": ["000003.png"]}
    assert (found.report.photos, found.report.people) == (3, 5)


def test_coco_takes_people_only(run: Run) -> None:
    source = run(2).data.sources[0]
    path = Path(source.annotations)
    table = json.loads(path.read_text())
    table["categories"].append({"id": 18, "name": "dog"})
    table["annotations"].append({**table["annotations"][0], "id": 99, "category_id": 18})
    path.write_text(json.dumps(table))
    assert opened(source).report.people == 3


def test_another_order_of_keypoints_is_read_by_its_names(run: Run) -> None:
    source = run(1).data.sources[0]
    before = samples(source)[0].people
    path = Path(source.annotations)
    table = json.loads(path.read_text())
    table["categories"][0]["keypoints"].reverse()
    for annotation in table["annotations"]:
        annotation["keypoints"] = np.array(annotation["keypoints"]).reshape(-1, 3)[::-1].ravel().tolist()
    path.write_text(json.dumps(table))
    np.testing.assert_array_equal(samples(source)[0].people, before)


def test_yolo_texts_say_what_coco_says(run: Run, tmp_path: Path) -> None:
    source = run(3).data.sources[0]
    texts = tmp_path / "labels"
    texts.mkdir()
    table = json.loads(Path(source.annotations).read_text())
    for image in table["images"][:2]:
        lines = []
        for a in table["annotations"]:
            if a["image_id"] == image["id"]:
                x, y, w, h = a["bbox"]
                box = [(x + w / 2) / 240, (y + h / 2) / 200, w / 240, h / 200]
                points = (np.array(a["keypoints"]).reshape(-1, 3) / (240, 200, 1)).ravel()
                lines.append(" ".join(map(str, [0, *box, *points])))
        (texts / Path(image["file_name"]).with_suffix(".txt")).write_text("\n".join(lines) + "\n")
    found = opened(SourceConfig(type="yolo", images=source.images, annotations=str(texts)))
    assert isinstance(found.samples, Source)
    assert len(found.samples) == 2
    assert "people without keypoints are unknown" in found.report.notes[0]
    for number in range(2):
        one, other = found.samples[number], samples(source)[number]
        np.testing.assert_allclose(one.people, other.people, atol=1e-3)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)


def test_boxes_of_all_people_mask_those_without_keypoints(run: Run, tmp_path: Path) -> None:
    source = run(1).data.sources[0]
    annotation = json.loads(Path(source.annotations).read_text())["annotations"][0]
    x, y, w, h = annotation["bbox"]
    points = (np.array(annotation["keypoints"]).reshape(-1, 3) / (240, 200, 1)).ravel()
    same = f"0 {(x + w / 2) / 240} {(y + h / 2) / 200} {w / 240} {h / 200}"
    for name, text in (("labels", same + " " + " ".join(map(str, points))), ("boxes", f"{same}\n0 0.9 0.9 0.1 0.1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "000001.txt").write_text(text)
    settings = {"boxes": str(tmp_path / "boxes")}
    (found,) = [
        samples(
            SourceConfig(type="yolo", images=source.images, annotations=str(tmp_path / "labels"), settings=settings)
        )
    ]
    assert len(found[0].people) == 1
    assert len(found[0].ignored) == 1


def test_a_yolo_line_that_is_no_line_is_counted(run: Run, tmp_path: Path) -> None:
    source = run(1).data.sources[0]
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "000001.txt").write_text("0 0.5 0.5 0.2 0.2 0.1 0.1\n0 a b c\n")
    found = opened(SourceConfig(type="yolo", images=source.images, annotations=str(tmp_path / "labels")))
    assert sum(found.report.dropped.values()) >= 2


def test_plain_photos_have_no_labels_and_may_lie_in_folders(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("a.jpg", "more/b.png", "more/.hidden.jpg"):
        cv2.imwrite(str(tmp_path / name), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("no photo")
    found = samples(SourceConfig(type="photos", images=str(tmp_path)))
    assert [found[n].name for n in range(len(found))] == ["a.jpg", "more/b.png"]
    assert not found[0].labelled.any()


class Own:
    """A source of somebody's own."""

    def __init__(self, skeleton: Skeleton, count: int) -> None:
        self.skeleton = skeleton
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        picture = Picture(data=cv2.imencode(".png", np.full((40, 50, 3), index, np.uint8))[1].tobytes())
        return Sample.unlabelled(picture, f"made up {index}", len(self.skeleton.joints))


def test_a_source_of_one_s_own_is_named_by_its_path(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openpose_ros.training.data.Own", Own, raising=False)
    config = RunConfig(name="test", card="tiny")
    config.data.crop.height = config.data.crop.width = 64
    config.data.sources = [SourceConfig(type="openpose_ros.training.data.Own", settings={"count": 3})]
    batch = Crops(config, card).batch(range(3))
    assert sorted(batch.photos) == ["Own/made up 0", "Own/made up 1", "Own/made up 2"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"type": "coco", "images": "/nowhere"}, "needs annotations"),
        ({"type": "coco", "images": "/nowhere", "annotations": "/no.json"}, "no annotation file /no.json"),
        ({"type": "photos", "images": "/nowhere"}, "no folder /nowhere"),
        ({"type": "shards", "shards": ["/nowhere-{0..3}.tar"]}, "no shard /nowhere-0.tar"),
        ({"type": "foto"}, "no source 'foto'; expected one of coco, shards, yolo, photos"),
        ({"type": "my_own.Source"}, "cannot be imported"),
        ({"type": "photos", "images": "/nowhere", "weight": 0.0}, "weight is 0.0"),
        ({"type": "photos", "images": "/nowhere", "settings": {"depth": 2}}, "settings: .*depth"),
    ],
)
def test_a_source_that_cannot_be_opened_says_why(source: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        opened(SourceConfig(**source))


def test_two_sources_of_one_name_are_refused(run: Run) -> None:
    source = run(1).data.sources[0]
    with pytest.raises(ConfigError, match="two sources are called photos"):
        sources(DataConfig(sources=[source, source]), COCO_18)


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}', '{"images": [{}], "annotations": []}', '{"images": 3}'])
def test_a_file_that_is_no_coco_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    source = SourceConfig(type="coco", images=str(tmp_path), annotations=str(tmp_path / "broken.json"))
    with pytest.raises(ConfigError, match="not a COCO annotation file"):
        opened(source)


def test_a_table_gives_back_what_it_was_given() -> None:
    made = [Sample.unlabelled(Picture(path=f"{n}.jpg"), str(n), 18) for n in range(3)]
    table = Table(made)
    assert len(table) == 3
    assert [table[n].name for n in (2, 0)] == ["2", "0"]
    assert [sample.name for sample in table] == ["0", "1", "2"]
