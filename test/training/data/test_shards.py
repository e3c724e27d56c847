"""Shards: packed, read back, torn, resumed, and streamed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from openpose_ros.card import Card
from openpose_ros.skeleton import COCO_18
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import ConfigError, DataConfig, RunConfig, SourceConfig
from openpose_ros.training.data import Crops, Sample, loader, sources
from openpose_ros.training.data.pack import Packer, PackOptions
from openpose_ros.training.data.picture import decode
from openpose_ros.training.data.record import Record
from openpose_ros.training.data.report import Report
from openpose_ros.training.data.sources import Source, records

Run = Callable[..., RunConfig]
SMALL = PackOptions(megabytes=0.03)


def listed(source: SourceConfig) -> list[Record]:
    return list(records(source, Report("test")))


def packed(source: SourceConfig, folder: Path, options: PackOptions = SMALL, name: str = "set") -> Packer:
    packer = Packer(listed(source), source.images, folder, name, options)
    packer.pack()
    return packer


def from_shards(packer: Packer, **more: object) -> SourceConfig:
    shards = [str(packer.folder / shard.file) for shard in packer.shards]
    return SourceConfig(type="shards", name="packed", shards=shards, settings=dict(more))


def read(source: SourceConfig) -> list[Sample]:
    found = sources(DataConfig(sources=[source]), COCO_18)[0].samples
    assert isinstance(found, Source)
    return [found[number] for number in range(len(found))]


def test_shards_hold_what_the_folder_held(run: Run, tmp_path: Path) -> None:
    source = run(6, ending=".jpg").data.sources[0]
    packer = packed(source, tmp_path / "out")
    assert len(packer.shards) > 2
    before, after = read(source), read(from_shards(packer))
    assert [sample.name for sample in after] == [sample.name for sample in before]
    for one, other in zip(before, after, strict=True):
        assert one.picture.read() == other.picture.read()
        np.testing.assert_allclose(one.people, other.people, atol=0.011)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=0.011)
        np.testing.assert_array_equal(one.labelled, other.labelled)


def test_braces_and_wildcards_name_many_shards(run: Run, tmp_path: Path) -> None:
    packer = packed(run(6, ending=".jpg").data.sources[0], tmp_path / "out")
    last = len(packer.shards) - 1
    for text in (f"set-{{000000..{last:06d}}}.tar", "set-*.tar"):
        assert len(read(SourceConfig(type="shards", shards=[f"{tmp_path}/out/{text}"]))) == 6


def test_shrunk_photos_have_their_joints_on_the_dots(run: Run, tmp_path: Path) -> None:
    source = run(3).data.sources[0]
    before = read(source)
    after = read(from_shards(packed(source, tmp_path / "out", PackOptions(short_side=100, quality=95))))
    for one, other in zip(before, after, strict=True):
        image = decode(other.picture.read())
        assert image.shape[:2] == (100, 120)
        np.testing.assert_allclose(other.people, (one.people + 0.5) / 2 - 0.5, atol=0.011)
        for x, y in other.people[0, [4, 7]]:
            if 3 < x < 116 and 3 < y < 96:
                assert image[round(float(y)), round(float(x)), 0] > 200


def test_masks_shrink_with_their_photo(run: Run, tmp_path: Path) -> None:
    from pycocotools import mask as coco_mask

    source = run(1).data.sources[0]
    path = Path(source.annotations)
    table = json.loads(path.read_text())
    flat = np.zeros((200, 240), np.uint8)
    flat[20:60, 40:100] = 1
    runs = coco_mask.encode(np.asfortranarray(flat))
    crowd = {"image_id": 1, "category_id": 1, "iscrowd": 1, "bbox": [40, 20, 60, 40], "id": 50}
    table["annotations"] += [
        {**crowd, "segmentation": {"size": [200, 240], "counts": runs["counts"].decode()}},
        {**crowd, "iscrowd": 0, "keypoints": [0] * 51, "segmentation": [[10, 10, 30, 10, 30, 50]]},
    ]
    path.write_text(json.dumps(table))
    (sample,) = read(from_shards(packed(source, tmp_path / "out", PackOptions(short_side=100))))
    run_lengths, polygon = sample.ignored
    small = coco_mask.decode({"size": [run_lengths.height, run_lengths.width], "counts": run_lengths.counts})
    assert small.shape == (100, 120)
    assert small[10:30, 20:50].all() and small.sum() == 600
    np.testing.assert_allclose(polygon.parts[0], np.array([[5, 5], [15, 5], [15, 25]]) - 0.5, atol=0.01)


def test_a_killed_packing_goes_on_and_ends_the_same(run: Run, tmp_path: Path) -> None:
    source = run(8, ending=".jpg").data.sources[0]
    whole = packed(source, tmp_path / "whole")

    def die(more: int) -> None:
        seen.append(more)
        if len(seen) == 5:
            raise KeyError("power cut")

    seen: list[int] = []
    out = tmp_path / "out"
    with pytest.raises(KeyError, match="power cut"):
        Packer(listed(source), source.images, out, "set", SMALL).pack(die)
    kept = {file.name: file.stat().st_mtime_ns for file in out.glob("set-*.tar")}
    assert 0 < len(kept) < len(whole.shards)
    assert list(out.glob(".*.part"))
    again = Packer(listed(source), source.images, out, "set", SMALL)
    assert 0 < again.done < 8
    again.pack()
    assert not list(out.glob(".*.part"))
    for shard in whole.shards:
        assert (out / shard.file).read_bytes() == (tmp_path / "whole" / shard.file).read_bytes()
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    assert json.loads(again.index.read_text())["shards"] == json.loads(whole.index.read_text())["shards"]


def test_a_torn_shard_is_made_again_and_its_neighbours_are_kept(run: Run, tmp_path: Path) -> None:
    source = run(8, ending=".jpg").data.sources[0]
    packer = packed(source, tmp_path / "out")
    torn = packer.folder / packer.shards[1].file
    content = torn.read_bytes()
    torn.write_bytes(content[:5000])
    other = packer.folder / packer.shards[2].file
    before = other.stat().st_mtime_ns
    packed(source, tmp_path / "out")
    assert torn.read_bytes() == content
    assert other.stat().st_mtime_ns == before


def test_what_is_whole_is_not_packed_again(run: Run, tmp_path: Path) -> None:
    source = run(4, ending=".jpg").data.sources[0]
    packed(source, tmp_path / "out")
    looked: list[int] = []
    report = Packer(listed(source), source.images, tmp_path / "out", "set", SMALL).pack(looked.append)
    assert not looked
    assert (report.photos, report.people) == (4, 6)


def test_other_settings_do_not_go_on_with_these_shards(run: Run, tmp_path: Path) -> None:
    source = run(2, ending=".jpg").data.sources[0]
    packed(source, tmp_path / "out")
    with pytest.raises(ConfigError, match="short_side was 0 and is 100 now"):
        packed(source, tmp_path / "out", replace(SMALL, short_side=100))


def test_no_shard_is_larger_than_wanted(run: Run, tmp_path: Path) -> None:
    packer = packed(run(12, ending=".jpg").data.sources[0], tmp_path / "out")
    assert len(packer.shards) >= 3
    assert all((packer.folder / shard.file).stat().st_size <= 30_000 for shard in packer.shards)


def test_what_cannot_be_used_is_left_out_counted_and_named(run: Run, tmp_path: Path) -> None:
    source = run(7, ending=".jpg").data.sources[0]
    path, folder = Path(source.annotations), Path(source.images)
    table = json.loads(path.read_text())
    table["images"][1]["width"] = 241
    for annotation in table["annotations"]:
        if annotation["image_id"] == 4:
            annotation["keypoints"] = [0] * 51
    table["annotations"] = [a for a in table["annotations"] if a["image_id"] != 6]
    path.write_text(json.dumps(table))
    (folder / "000001.jpg").write_bytes(b"no photo")
    whole = (folder / "000003.jpg").read_bytes()
    (folder / "000003.jpg").write_bytes(whole[: len(whole) // 2])
    packer = Packer(listed(source), source.images, tmp_path / "out", "set", replace(SMALL, empty=0.0))
    report = packer.pack()
    assert report.photos == 2
    assert report.examples == {
        "photo unreadable": ["000001.jpg"],
        "photo of 240x200 pixels, annotated as 241x200": ["000002.jpg"],
        "photo cut short": ["000003.jpg"],
        "photo of people without joints": ["000004.jpg"],
        "photo of nobody": ["000006.jpg"],
    }
    assert len(read(from_shards(packer))) == 2


def test_unlabelled_photos_stay_so(run: Run, tmp_path: Path) -> None:
    images = run(2, ending=".jpg").data.sources[0].images
    (one, _) = read(from_shards(packed(SourceConfig(type="photos", images=images), tmp_path / "out")))
    assert not one.labelled.any()


def test_of_a_torn_shard_all_whole_photos_are_read(run: Run, tmp_path: Path) -> None:
    packer = packed(run(6, ending=".jpg").data.sources[0], tmp_path / "out", PackOptions())
    path = packer.folder / packer.shards[0].file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = sources(DataConfig(sources=[from_shards(packer)]), COCO_18)[0]
    assert found.report.dropped == {"shard torn (what comes before is used)": 1}
    assert isinstance(found.samples, Source)
    assert 0 < len(found.samples) < 6


def streaming(config: RunConfig, packer: Packer, lead: str = "", buffer: int = 4) -> RunConfig:
    source = from_shards(packer, stream=True, buffer=buffer)
    source.shards = [f"{lead}{shard}" for shard in source.shards]
    config.data.sources = [source]
    return config


def taken(config: RunConfig, card: Card, count: int, start: int = 0, **more: int) -> list[Batch]:
    return list(itertools.islice(loader(config, card, position=lambda: start, **more), count))


@pytest.mark.parametrize("lead", ["", "pipe:cat ", "file://"])
def test_streams_come_from_files_and_pipes(run: Run, card: Card, tmp_path: Path, lead: str) -> None:
    config = run(6, ending=".jpg")
    config = streaming(config, packed(config.data.sources[0], tmp_path / "out"), lead)
    photos = {photo for batch in taken(config, card, 8) for photo in batch.photos}
    assert photos == {f"packed/{number:06d}.jpg" for number in range(1, 7)}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("start", [1, 3])
def test_a_stream_goes_on_where_it_was(run: Run, card: Card, tmp_path: Path, workers: int, start: int) -> None:
    config = run(8, ending=".jpg")
    plain = config.data.sources[0]
    config = streaming(config, packed(plain, tmp_path / "out"))
    config.data.sources.append(replace(plain, weight=0.7))
    config.data.workers = workers
    whole, rest = taken(config, card, 6), taken(config, card, 6 - start, start)
    for one, other in zip(whole[start:], rest, strict=True):
        assert one.keys == other.keys
        assert torch.equal(one.images, other.images)
    assert {key.partition("/")[0] for batch in whole for key in batch.keys} == {"packed", "photos"}


def test_every_process_streams_shards_of_its_own(run: Run, card: Card, tmp_path: Path) -> None:
    config = run(12, ending=".jpg")
    packer = packed(config.data.sources[0], tmp_path / "out")
    config = streaming(config, packer, buffer=1)
    # The first time through the shards: later on they are dealt out anew.
    ranks = [
        {key for batch in taken(config, card, 4, rank=rank, world=2) for key in batch.keys if key.endswith(".0")}
        for rank in range(2)
    ]
    assert ranks[0] and ranks[1]
    assert not ranks[0] & ranks[1]


def test_fewer_shards_than_processes_are_shared_photo_by_photo(run: Run, card: Card, tmp_path: Path) -> None:
    config = run(9, ending=".jpg")
    config = streaming(config, packed(config.data.sources[0], tmp_path / "out", PackOptions()), buffer=1)
    ranks = [
        {photo for batch in taken(config, card, 4, rank=rank, world=2) for photo in batch.photos} for rank in range(2)
    ]
    assert ranks[0] and ranks[1]
    assert not ranks[0] & ranks[1]


def test_a_stream_goes_on_without_a_shard_that_is_out_of_reach(run: Run, card: Card, tmp_path: Path) -> None:
    config = run(6, ending=".jpg")
    packer = packed(config.data.sources[0], tmp_path / "out")
    config = streaming(config, packer, "pipe:cat ")
    (packer.folder / packer.shards[0].file).unlink()
    photos = {photo for batch in taken(config, card, 6) for photo in batch.photos}
    assert 0 < len(photos) < 6


def test_a_stream_of_nothing_ends_with_a_sentence(run: Run, card: Card, tmp_path: Path) -> None:
    config = run(2, ending=".jpg")
    packer = packed(config.data.sources[0], tmp_path / "out")
    for shard in packer.shards:
        (packer.folder / shard.file).unlink()
    with pytest.raises(ConfigError, match="source packed: process 0 of 1 finds no crop in its shards"):
        taken(streaming(config, packer), card, 1)


def test_overfit_refuses_streams(run: Run, card: Card, tmp_path: Path) -> None:
    config = run(2, ending=".jpg")
    config = streaming(config, packed(config.data.sources[0], tmp_path / "out"))
    config.overfit = 1
    with pytest.raises(ConfigError, match="overfit needs photos"):
        Crops(config, card)
