"""``bag_poses`` from a bag to a bag, with the synthetic backend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags.rosbag2", reason="needs rosbags")

from openpose_ros.bags.reading import Bag
from openpose_ros.commands.bag_poses import main
from openpose_ros.recorded import run

ROOT = Path(__file__).resolve().parents[2]
BEGIN = 1_700_000_000 * 10**9
PERIOD = 100_000_000
DELAY = 3_000_000  # between the stamp of an image and its recording
GREY = np.full((120, 160, 3), 90, np.uint8)
JPEG = {"format": "jpeg", "data": cv2.imencode(".jpg", GREY)[1].reshape(-1)}

WriteBag = Callable[..., Path]
Message = tuple[str, str, int, Any]


def image(topic: str, number: int, picture: Any = GREY, **fields: Any) -> Message:
    stamp = BEGIN + number * PERIOD
    return topic, "sensor_msgs/Image", stamp + DELAY, {"image": picture, "stamp": stamp, **fields}


def recording(topic: str = "/camera/image_raw", count: int = 4) -> list[Message]:
    """rgb8, bgr8, mono8 and so on, from the camera ``cam``."""
    encodings = [("rgb8", GREY), ("bgr8", GREY), ("mono8", np.ascontiguousarray(GREY[..., 0]))]
    kinds = [encodings[number % 3] for number in range(count)]
    return [image(topic, number, picture, encoding=encoding) for number, (encoding, picture) in enumerate(kinds)]


def synthetic(*arguments: str | Path) -> int:
    return main([*map(str, arguments), "--backend", "synthetic", "--input-size", "128"])


def read(path: Path) -> dict[str, list[tuple[int, Any]]]:
    """Times and messages by topic."""
    found: dict[str, list[tuple[int, Any]]] = {}
    with Bag(path) as bag:
        for recorded in bag.messages(bag.topics.values()):
            found.setdefault(recorded.topic.name, []).append((recorded.time, bag.decoded(recorded)))
    return found


def stored(path: Path) -> list[tuple[str, int, bytes]]:
    with Bag(path) as bag:
        return [(recorded.topic.name, recorded.time, recorded.data) for recorded in bag.messages(bag.topics.values())]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_every_image_has_its_people_under_its_own_stamp(
    write_bag: WriteBag, tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_bag(tmp_path / "in", recording(), storage)
    assert synthetic(source, tmp_path / "out", "--storage", storage) == 0
    found = read(tmp_path / "out")
    assert set(found) == {"/poses", "/poses/skeleton"}
    assert [time for time, _ in found["/poses"]] == [BEGIN + n * PERIOD + DELAY for n in range(4)]
    for number, (_, people) in enumerate(found["/poses"]):
        stamp = people.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == BEGIN + number * PERIOD
        assert people.header.frame_id == "cam"
        assert (people.image_width, people.image_height) == (160, 120)
        assert len(people.people) > 0
        assert len({person.id for person in people.people} - {-1}) == len(people.people)
    (time_of_skeleton, skeleton), *more = found["/poses/skeleton"]
    assert not more
    assert (time_of_skeleton, skeleton.name) == (BEGIN + DELAY, people.skeleton)
    told = capsys.readouterr().out
    assert "/camera/image_raw -> /poses" in told
    assert f"4 frames, {sum(len(people.people) for _, people in found['/poses'])} people" in told
    assert str(tmp_path / "out") in told


def test_ros_reads_every_message(write_bag: WriteBag, tmp_path: Path) -> None:
    serialization = pytest.importorskip("rclpy.serialization", reason="needs ROS 2")
    msg = pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")
    sensors = pytest.importorskip("sensor_msgs.msg", reason="needs ROS 2")
    assert synthetic(write_bag(tmp_path / "in", recording()), tmp_path / "out.mcap", "--overlay") == 0
    kinds = {"/poses": msg.People, "/poses/skeleton": msg.Skeleton, "/annotated/compressed": sensors.CompressedImage}
    for topic, _, data in stored(tmp_path / "out.mcap"):
        message = serialization.deserialize_message(data, kinds[topic])
        if topic == "/poses":
            assert [len(person.keypoints) for person in message.people] == [18] * len(message.people)


def test_the_overlay_is_the_image_with_people_in_it(write_bag: WriteBag, tmp_path: Path) -> None:
    source = write_bag(tmp_path / "in", recording())
    assert synthetic(source, tmp_path / "out.mcap", "--overlay") == 0
    found = read(tmp_path / "out.mcap")
    assert [time for time, _ in found["/annotated/compressed"]] == [time for time, _ in found["/poses"]]
    _, message = found["/annotated/compressed"][0]
    drawn = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
    assert drawn.shape == GREY.shape
    assert np.abs(drawn.astype(int) - GREY).max() > 50
    assert message.header == found["/poses"][0][1].header


def test_json_lines_tell_the_same(write_bag: WriteBag, tmp_path: Path) -> None:
    source = write_bag(tmp_path / "in", recording())
    assert synthetic(source, tmp_path / "out.mcap", "--json", tmp_path / "out.jsonl") == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    messages = [message for _, message in read(tmp_path / "out.mcap")["/poses"]]
    assert len(lines) == len(messages) == 4
    for line, message in zip(lines, messages, strict=True):
        assert line["topic"] == "/camera/image_raw"
        assert line["frame_id"] == "cam"
        assert line["stamp"] == {"sec": message.header.stamp.sec, "nanosec": message.header.stamp.nanosec}
        assert [person["person_id"][0] for person in line["people"]] == [person.id for person in message.people]
        first = line["people"][0]["pose_keypoints_2d"][:3]
        nose = message.people[0].keypoints[0]
        assert first == pytest.approx([nose.x, nose.y, nose.score] if nose.state else [0, 0, 0], abs=1e-4)


def test_several_cameras_are_kept_apart(write_bag: WriteBag, tmp_path: Path) -> None:
    second = [("/back/image/compressed", "sensor_msgs/CompressedImage", BEGIN + n, JPEG) for n in range(3)]
    source = write_bag(tmp_path / "in", [*recording("/front/image_raw"), *second])
    assert synthetic(source, tmp_path / "out.mcap") == 0
    counts = {topic: len(messages) for topic, messages in read(tmp_path / "out.mcap").items()}
    assert counts == {"/front/poses": 4, "/front/poses/skeleton": 1, "/back/poses": 3, "/back/poses/skeleton": 1}
    assert synthetic(source, tmp_path / "one.mcap", "--topic", "/back/image/compressed", "--poses", "people") == 0
    assert set(read(tmp_path / "one.mcap")) == {"/back/people", "/back/people/skeleton"}


def test_a_bag_of_ros_1_gives_one_of_ros_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store, kind = get_typestore(Stores.ROS1_NOETIC), "sensor_msgs/msg/Image"
    stamp = store.types["builtin_interfaces/msg/Time"](sec=3, nanosec=4)
    header = store.types["std_msgs/msg/Header"](seq=9, stamp=stamp, frame_id="old")
    with Writer(tmp_path / "old.bag") as writer:
        message = store.types[kind](header, 120, 160, "bgr8", 0, 480, GREY.reshape(-1))
        data = store.serialize_ros1(message, kind)
        writer.write(writer.add_connection("/image", kind, typestore=store), BEGIN, data)
    assert synthetic(tmp_path / "old.bag", tmp_path / "new.mcap") == 0
    ((when, people),) = read(tmp_path / "new.mcap")["/poses"]
    assert (when, people.header.stamp.sec, people.header.stamp.nanosec) == (BEGIN, 3, 4)
    assert people.header.frame_id == "old"
    assert synthetic(tmp_path / "old.bag", tmp_path / "copy.mcap", "--copy") == 1
    assert "leave --copy out" in capsys.readouterr().err


def test_a_broken_image_is_named_counted_and_skipped(
    write_bag: WriteBag, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    messages = recording()
    messages[1] = image("/camera/image_raw", 1, step=7)
    messages[2] = ("/camera/image_raw", "sensor_msgs/Image", BEGIN + 2 * PERIOD, b"\0\1\0\0torn")
    assert synthetic(write_bag(tmp_path / "in", messages), tmp_path / "out") == 0
    assert [time for time, _ in read(tmp_path / "out")["/poses"]] == [BEGIN + DELAY, BEGIN + 3 * PERIOD + DELAY]
    assert "image 1 of /camera/image_raw" in caplog.text
    assert "step is 7 bytes" in caplog.text
    assert "image 2 of /camera/image_raw" in caplog.text
    assert "2 images, 2 skipped" in capsys.readouterr().out


def test_many_broken_images_do_not_fill_the_log(
    write_bag: WriteBag, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [image("/image", number, step=7) for number in range(2 * run.NAMED)]
    source = write_bag(tmp_path / "in", [*broken, image("/image", 99)])
    assert synthetic(source, tmp_path / "out") == 0
    assert caplog.text.count("step is 7 bytes") == run.NAMED
    assert "further broken images" in caplog.text


def test_a_bag_that_breaks_off_gives_what_came_before(
    write_bag: WriteBag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from rosbags.rosbag2 import Reader, ReaderError

    whole = Reader.messages

    def torn(self: Reader, *arguments: Any, **named: Any) -> Any:
        for number, message in enumerate(whole(self, *arguments, **named)):
            if number == 2:
                raise ReaderError("Could not read message.")
            yield message

    monkeypatch.setattr(Reader, "messages", torn)
    assert synthetic(write_bag(tmp_path / "in", recording()), tmp_path / "out") == 0
    assert "cannot be read any further: Could not read message" in caplog.text
    assert "what came before is written" in caplog.text
    monkeypatch.undo()
    assert len(read(tmp_path / "out")["/poses"]) == 2


def test_everything_else_is_copied_as_it_was(write_bag: WriteBag, tmp_path: Path) -> None:
    text = [("/chatter", "std_msgs/String", BEGIN + n, {"data": str(n)}) for n in range(3)]
    source = write_bag(tmp_path / "in", [*recording(), *text])
    assert synthetic(source, tmp_path / "out.db3", "--copy", "--limit", "2") == 0
    new = stored(tmp_path / "out.db3")
    assert [row for row in new if not row[0].startswith("/poses")] == stored(source)
    assert len([row for row in new if row[0] == "/poses"]) == 2
    assert synthetic(tmp_path / "out.db3", tmp_path / "again", "--copy") == 1
    assert synthetic(tmp_path / "out.db3", tmp_path / "again", "--copy", "--poses", "/new/poses") == 0


def test_only_some_images_are_looked_at(write_bag: WriteBag, tmp_path: Path) -> None:
    source = write_bag(tmp_path / "in", recording(count=9))
    assert synthetic(source, tmp_path / "out", "--every", "3", "--limit", "2") == 0
    assert [time for time, _ in read(tmp_path / "out")["/poses"]] == [BEGIN + DELAY, BEGIN + 3 * PERIOD + DELAY]


def test_ids_are_left_out_on_request(write_bag: WriteBag, tmp_path: Path) -> None:
    assert synthetic(write_bag(tmp_path / "in", recording()), tmp_path / "out", "--no-track") == 0
    assert {person.id for _, message in read(tmp_path / "out")["/poses"] for person in message.people} == {-1}


def test_processes_side_by_side_give_the_same_as_one_after_the_other(
    write_bag: WriteBag, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sources = [write_bag(tmp_path / name, recording(count=3)) for name in ("a", "b")]
    missing = tmp_path / "missing.mcap"
    flags = ["--json", tmp_path / "side", "--jobs", "2"]
    assert synthetic(*sources, missing, "--output", tmp_path / "side", *flags) == 1
    assert "no bag" in capfd.readouterr().err
    for source in sources:
        assert synthetic(source, tmp_path / "alone", "--overwrite") == 0
        assert stored(tmp_path / "side" / source.name) == stored(tmp_path / "alone")
        assert len((tmp_path / "side" / f"{source.name}.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.mcap", "out"], "no bag missing.mcap"),
        (["in", "out", "--topic", "/nope"], "the topic /nope is not there"),
        (["in", "in"], "in is the bag that is read"),
        (["in", "out.bag"], "can only be read"),
        (["text", "out"], "no pictures in text"),
        (["in", "out", "--poses", "a b"], "no name of a topic"),
        (["broken", "out"], "none of the 2 images in broken could be read"),
        (["in", "out", "--model", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(
    write_bag: WriteBag,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_bag(Path("in"), recording(count=1))
    write_bag(Path("text"), [("/chatter", "std_msgs/String", BEGIN, {"data": ""})])
    write_bag(Path("broken"), [image("/image", number, step=7) for number in range(2)])
    assert synthetic(*arguments) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("bag_poses: ")
    assert told in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "in", "text"]


@pytest.mark.parametrize(
    "arguments",
    [["one"], ["a", "b", "c"], ["a", "b", "--every", "0"], ["a", "b", "--value-range", "3"],
     ["a/run.mcap", "b/run.db3", "--output", "c"], ["a", "b", "--input-size", "tall"]],
    ids=" ".join,
)  # fmt: skip
def test_bad_usage_is_told_before_anything_is_read(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "bag_poses: error: " in capsys.readouterr().err


@pytest.mark.parametrize("several", [False, True], ids=["one bag", "several bags"])
def test_ctrl_c_leaves_no_half_bag(write_bag: WriteBag, tmp_path: Path, several: bool) -> None:
    source = write_bag(tmp_path / "in", [image("/image", number, GREY[:64, :64]) for number in range(1000)])
    target = ["--output", str(tmp_path / "out")] if several else [str(tmp_path / "out" / "new.mcap")]
    other = [str(write_bag(tmp_path / "other", recording()))] if several else []
    lines = str(tmp_path / "out" if several else tmp_path / "out" / "new.jsonl")
    command = [sys.executable, "-m", "openpose_ros", "bag_poses", str(source), *other, *target, "--json", lines]
    process = subprocess.Popen(
        [*command, "--backend", "synthetic", "--input-size", "128", "--jobs", "2"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    begun = ".in.jsonl.*" if several else ".new.jsonl.*"
    while not any(file.stat().st_size for file in (tmp_path / "out").glob(begun)) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert told.strip().splitlines()[-1].startswith("bag_poses: ended by Ctrl-C")
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith("other")] == []
