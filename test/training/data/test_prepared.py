"""LMDB of CMU's scripts, HDF5 of the Keras reproductions, TFRecords of the TensorFlow 2 project: written here in their
forms, read as the COCO annotations that they were made of."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.commands.prepare import main as prepare
from openpose_ros.skeleton import COCO_17, COCO_18, YAOP_18
from openpose_ros.training.config import ConfigError, DataConfig, RunConfig, SourceConfig
from openpose_ros.training.data import Sample, sources
from openpose_ros.training.data.prepared import from_plane, prepared_records
from openpose_ros.training.data.report import Report

Run = Callable[..., RunConfig]
Array = npt.NDArray[Any]

HIDDEN = {2: 1.0, 1: 0.0, 0: 2.0}
"""CMU's flag by COCO's visibility."""


def opened(source: SourceConfig) -> tuple[list[Sample], Report]:
    found = sources(DataConfig(sources=[source]), COCO_18)[0]
    return [found.samples[n] for n in range(len(found.samples))], found.report  # type: ignore[index,arg-type]


def photos(source: SourceConfig) -> list[tuple[Array, list[dict[str, Any]]]]:
    """Pixels and people of a COCO source."""
    table = json.loads(Path(source.annotations).read_text())
    found = []
    for entry in table["images"]:
        people = [person for person in table["annotations"] if person["image_id"] == entry["id"]]
        found.append((cv2.imread(str(Path(source.images) / entry["file_name"])), people))
    return found


def joints(person: dict[str, Any]) -> Array:
    """(17, 3) as CMU's scripts have them."""
    points = np.array(person["keypoints"], float).reshape(-1, 3)
    return np.column_stack([points[:, :2], [HIDDEN[int(flag)] for flag in points[:, 2]]])


def mask(picture: Array) -> Array:
    """255 where something is learned: not in a corner."""
    found = np.full(picture.shape[:2], 255, np.uint8)
    found[-12:, -20:] = 0
    return found


def floats(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


def plane(shape: tuple[int, ...], photo: int, first: Array, others: list[Array]) -> Array:
    """An entry's description, a line a fact."""
    lines = [
        b"COCO", floats(*shape[:2]), bytes([0, len(others), 0]) + floats(photo, 0, 1), floats(1, 2), floats(0.5),
        *(floats(*row) for row in first.T),
    ]  # fmt: skip
    if others:
        lines += [*(floats(1, 2) for _ in others), floats(*[0.5] * len(others))]
        lines += [floats(*row) for other in others for row in other.T]
    drawn = np.zeros(shape[:2], np.uint8)
    for line, content in enumerate(lines):
        drawn[line, : len(content)] = np.frombuffer(content, np.uint8)
    return drawn


def entries(source: SourceConfig) -> list[tuple[Array, dict[str, Any]]]:
    """An entry for each person, as the scripts make them: planes, and the description that HDF5 has beside them."""
    made = []
    for number, (picture, people) in enumerate(photos(source)):
        for main in range(len(people)):
            everyone = [joints(people[main]), *(joints(p) for n, p in enumerate(people) if n != main)]
            about = plane(picture.shape, number, everyone[0], everyone[1:])
            stack = np.dstack([picture, about, mask(picture), mask(picture)]).transpose(2, 0, 1)
            meta = {"dataset": "COCO", "img_path": f"/data/{number}.jpg", "joints": [p.tolist() for p in everyone]}
            made.append((np.ascontiguousarray(stack), meta))
    return made


def write_hdf5(source: SourceConfig, path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        group = file.create_group("datum")
        for number, (stack, meta) in enumerate(entries(source)):
            group.create_dataset(f"{number:07d}", data=stack).attrs["meta"] = json.dumps(meta)
    return path


def write_lmdb(source: SourceConfig, path: Path) -> Path:
    lmdb = pytest.importorskip("lmdb")

    def number(value: int) -> bytes:
        return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])

    with lmdb.open(str(path), map_size=1 << 28) as file, file.begin(write=True) as writing:
        for place, (stack, _) in enumerate(entries(source)):
            sizes = b"".join(number(field << 3) + number(size) for field, size in enumerate(stack.shape, 1))
            datum = sizes + number(4 << 3 | 2) + number(stack.size) + stack.tobytes() + b"\x28\x00"
            writing.put(f"{place:07d}".encode(), datum)
    return path


def write_tfrecord(source: SourceConfig, path: Path) -> Path:
    def number(value: int) -> bytes:
        return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])

    def field(which: int, content: bytes) -> bytes:
        return number(which << 3 | 2) + number(len(content)) + content

    def tensor(values: Array) -> bytes:
        sides = b"".join(field(2, b"\x08" + number(side)) for side in values.shape)
        return b"\x08\x01" + field(2, sides) + field(4, np.ascontiguousarray(values, "<f4").tobytes())

    def feature(name: str, kind: int, content: bytes) -> bytes:
        return field(1, field(1, name.encode()) + field(2, field(kind, field(1, content))))

    written = b""
    for place, (picture, people) in enumerate(photos(source)):
        height, width = picture.shape[:2]
        points = np.stack([np.array(person["keypoints"], float).reshape(-1, 3) for person in people], 1)
        order = [COCO_17.joints.index(name) if name != "neck" else -1 for name in YAOP_18.joints]
        left, right = points[5], points[6]
        neck = (left + right) / 2 * ((left[:, 2:] > 0) & (right[:, 2:] > 0))
        ours = np.stack([points[n] if n >= 0 else neck for n in order])
        placed = np.stack([ours[..., 1] / height, ours[..., 0] / width, ours[..., 2]], -1)
        small = cv2.resize((mask(picture) > 0).astype(np.float32), (46, 46), interpolation=cv2.INTER_NEAREST)
        table = b"".join(
            [
                feature("id", 3, number(place)),
                feature("image_raw", 1, cv2.imencode(".jpg", picture)[1].tobytes()),
                feature("size", 3, number(height) + number(width)),
                feature("kpts", 1, tensor(placed)),
                feature("mask", 1, tensor(small)),
            ]
        )
        message = field(1, table)
        written += len(message).to_bytes(8, "little") + b"sums" + message + b"sums"
    path.write_bytes(written)
    return path


def made(kind: str, source: SourceConfig, folder: Path) -> SourceConfig:
    if kind == "tfrecord":
        return SourceConfig(type=kind, shards=[str(write_tfrecord(source, folder / "training-001.tfrecords"))])
    path = write_hdf5(source, folder / "train.h5") if kind == "hdf5" else write_lmdb(source, folder / "lmdb")
    return SourceConfig(type=kind, annotations=str(path))


KINDS = ["lmdb", "hdf5", "tfrecord"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_coco_said(run: Run, tmp_path: Path, kind: str) -> None:
    source = run(3).data.sources[0]
    expected, _ = opened(source)
    found, report = opened(made(kind, source, tmp_path))
    assert (report.photos, len(found), report.dropped) == (3, 3, {})
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.people, theirs.people, atol=2e-3)
        assert ours.labelled.tolist() == theirs.labelled.tolist()
        assert ours.size == theirs.size
        assert len(ours.ignored) == len(theirs.ignored) + 1
        picture = cv2.imdecode(np.frombuffer(ours.picture.read(), np.uint8), cv2.IMREAD_COLOR)
        wanted = cv2.imdecode(np.frombuffer(theirs.picture.read(), np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_allclose(picture, wanted, atol=12 if kind == "tfrecord" else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_prepare_packs_it_for_training(run: Run, tmp_path: Path, kind: str) -> None:
    source = run(2).data.sources[0]
    older = made(kind, source, tmp_path)
    place = older.shards[0] if kind == "tfrecord" else older.annotations
    assert prepare([f"--{kind}", place, "--output", str(tmp_path / "out"), "--name", kind]) == 0
    pytest.importorskip("braceexpand")
    packed, _ = opened(SourceConfig(type="shards", shards=[str(tmp_path / "out" / f"{kind}-000000.tar")]))
    direct, _ = opened(older)
    for one, other in zip(packed, direct, strict=True):
        np.testing.assert_allclose(one.people, other.people, atol=1e-2)
        assert len(one.ignored) == len(other.ignored)


def test_mpiis_joints_are_read_by_their_names() -> None:
    first = np.column_stack([np.arange(16.0), np.arange(16.0) + 100, np.ones(16)])
    drawn = plane((60, 120, 3), 7, first, [first + 3])
    drawn[0, :4] = np.frombuffer(b"MPI\0", np.uint8)
    about = from_plane(drawn)
    assert (about["dataset"], len(about["joints"])) == ("MPI", 2)
    assert about["joints"][0] == first.tolist()
    assert about["joints"][1] == (first + 3).tolist()


@pytest.mark.parametrize(("kind", "reason"), [("lmdb", "entry of another form"), ("hdf5", "entry of another form")])
def test_an_entry_of_another_form_is_counted(run: Run, tmp_path: Path, kind: str, reason: str) -> None:
    older = made(kind, run(2).data.sources[0], tmp_path)
    if kind == "lmdb":
        lmdb = pytest.importorskip("lmdb")
        with lmdb.open(older.annotations) as file, file.begin(write=True) as writing:
            writing.put(b"9999999", b"\x08\x03\x10\x02\x18\x02\x22\x0c" + bytes(12))
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(older.annotations, "a") as file:
            file["datum"].create_dataset("9999999", data=np.zeros((3, 4, 4), np.uint8)).attrs["meta"] = "{}"
    _, report = opened(older)
    assert (report.photos, report.dropped) == (2, {reason: 1})


def test_a_torn_tfrecord_is_used_up_to_there(run: Run, tmp_path: Path) -> None:
    older = made("tfrecord", run(3).data.sources[0], tmp_path)
    path = Path(older.shards[0])
    path.write_bytes(path.read_bytes()[:-50])
    _, report = opened(older)
    assert report.photos == 2
    assert report.dropped == {"file torn (what comes before is used)": 1}


def test_the_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in (("h5py", "a.h5"), ("lmdb", "a.lmdb")):
        (tmp_path / file).touch()
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ConfigError, match=f"needs the Python package {name}, .* pip install {name}"):
            next(prepared_records(tmp_path / file, Report("a")))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*nowhere\.h5"):
        next(prepared_records(tmp_path / "nowhere.h5", Report("a")))
