"""Fixtures that several folders use: the shared data, a network of random weights, and the real one converted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.card import Card, file_digest
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_17, COCO_18

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"
ZOO = Path("models", "openvino-human-pose-estimation-0001")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with photos and weights beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("needs the photos and weights in ../shared, which is not there")
    return SHARED.resolve()


@pytest.fixture(scope="session")
def photos(shared: Path) -> list[npt.NDArray[np.uint8]]:
    """Three photos of several sizes."""
    files = sorted((shared / "data" / "val" / "images").glob("*.jpg"))[::100]
    return [np.asarray(cv2.imread(str(file)), np.uint8) for file in files[:3]]


@pytest.fixture(scope="session")
def zoo_card(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Card:
    """human-pose-estimation-0001, converted from its archive."""
    pytest.importorskip("torch")
    from openpose_ros.weights.convert import convert

    return convert(shared / ZOO / "float_weights.npz", tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="session")
def _compiled_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What OpenVINO makes of networks that live as long as the tests does not go into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("openvino") is not None:
            from openpose_ros.backends import openvino_cache

            folder = tmp_path_factory.mktemp("openvino")
            patch.setattr(openvino_cache, "folder", lambda: folder)
        yield


@pytest.fixture(scope="session")
def random_card(_compiled_elsewhere: None, tmp_path_factory: pytest.TempPathFactory) -> Card:
    """A narrow lightweight network with weights that let an image through to its fields."""
    torch = pytest.importorskip("torch")
    from openpose_ros.networks import build
    from openpose_ros.weights.store import save_tensors

    card = Card(
        "random",
        {"type": "lightweight", "channels": 16},
        COCO_18,
        mean=(100.0, 110.0, 120.0),
        scale=(1 / 60, 1 / 70, 1 / 80),
        paf_offset=0.25,
        heat_offset=(0.1, -0.1),
    )
    generator = np.random.default_rng(0)
    tensors = {}
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in build(card).state_dict().items()}
    for name, shape in shapes.items():
        spread = (2.0 / np.prod(shape[1:])) ** 0.5 if len(shape) == 4 else 0.1
        tensors[name] = generator.normal(0.0, spread, shape).astype(np.float32)
    folder = tmp_path_factory.mktemp("random")
    weights = folder / "random.safetensors"
    save_tensors(tensors, weights, {})
    card = replace(card, weights=weights, sha256=file_digest(weights), path=folder / "random.yaml")
    card.save(folder / "random.yaml")
    return card


@pytest.fixture(scope="session")
def same_people() -> Callable[[People, npt.NDArray[np.float64], float], None]:
    """Asserts that people found are the (P, J, 2) true ones, joints within so many pixels, and NaN where they are."""

    def check(found: People, truth: npt.NDArray[np.float64], within: float) -> None:
        assert len(found) == len(truth)
        left = list(range(len(found)))
        for person in truth:
            known = np.isfinite(person).all(-1)
            apart = np.nan_to_num(np.abs(found.xy[left][:, known] - person[known]), nan=1e9).max((1, 2))
            match = left.pop(int(apart.argmin()))
            assert found.known[match].tolist() == known.tolist()
            np.testing.assert_allclose(found.xy[match, known], person[known], rtol=0.0, atol=within)

    return check


@pytest.fixture
def coco_folder(tmp_path: Path) -> Callable[[Sequence[tuple[tuple[int, int], People]]], tuple[Path, Path]]:
    """Writes grey photos of (height, width) and the people in them as COCO annotates them: annotations and folder."""

    def write(photos: Sequence[tuple[tuple[int, int], People]]) -> tuple[Path, Path]:
        images, annotations = [], []
        folder = tmp_path / "photos"
        folder.mkdir()
        for number, ((height, width), people) in enumerate(photos, start=1):
            name = f"{number:012d}.jpg"
            cv2.imwrite(str(folder / name), np.full((height, width, 3), 127, np.uint8))
            images.append({"id": number, "file_name": name, "height": height, "width": width})
            order = people.skeleton.order_in(COCO_17)
            for person in range(len(people)):
                known = people.known[person, order]
                xy = np.where(known[:, None], people.xy[person, order].astype(float) + 0.5, 0.0)
                left, top, right, bottom = (float(value) for value in people.boxes[person])
                box = [left + 0.5, top + 0.5, right - left, bottom - top]
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": 1,
                        "iscrowd": 0,
                        "bbox": box,
                        "area": 0.6 * box[2] * box[3],
                        "keypoints": np.concatenate([xy, 2.0 * known[:, None]], 1).ravel().tolist(),
                        "num_keypoints": int(known.sum()),
                    }
                )
        table = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}],
        }
        path = tmp_path / "person_keypoints.json"
        path.write_text(json.dumps(table))
        return path, folder

    return write


@pytest.fixture
def write_bag() -> Callable[..., Path]:
    """Writes a bag of ROS 2 from messages: topic, short type, nanoseconds of recording, and fields.

    For sensor_msgs the header is made of ``stamp`` (else the time) and ``frame_id``, and an array as ``image`` is a
    bgr8 image. Bytes instead of fields are written as they are.
    """
    pytest.importorskip("rosbags.rosbag2", reason="needs rosbags")
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)

    def filled(time: int, image: Any = None, stamp: int | None = None, frame_id: str = "cam", **fields: Any) -> Any:
        seconds, nanoseconds = divmod(time if stamp is None else stamp, 10**9)
        at = store.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
        whole = {"header": store.types["std_msgs/msg/Header"](stamp=at, frame_id=frame_id)}
        if image is not None:
            image = np.ascontiguousarray(image)
            height, width = image.shape[:2]
            pixels = {"encoding": "bgr8", "is_bigendian": 0, "step": image.strides[0], "data": image.reshape(-1)}
            whole |= {"height": height, "width": width, **pixels}
        return whole | fields

    def write(path: Path, messages: Sequence[tuple[str, str, int, Any]], storage: str = "mcap") -> Path:
        with Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()]) as writer:
            connections: dict[str, Any] = {}
            for topic, short, time, fields in messages:
                kind = short.replace("/", "/msg/")
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=store)
                data = fields
                if not isinstance(fields, bytes):
                    values = filled(time, **fields) if short.startswith("sensor_msgs") else fields
                    data = store.serialize_cdr(store.types[kind](**values), kind)
                writer.write(connections[topic], time, data)
        return path

    return write


class Server:
    """A web server on this machine: files by path; ``cuts`` many answers end after ``after`` bytes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cuts = 0
        self.after = 1_000_000
        self.ranges = True
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = outer.files.get(self.path)
                wanted = self.headers.get("Range", "")
                outer.asked.append(wanted)
                if content is None:
                    self.send_error(404)
                    return
                begin = int(wanted[6:-1]) if wanted and outer.ranges else 0
                if begin and begin >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(content) - begin))
                self.end_headers()
                end = len(content)
                if outer.cuts:
                    outer.cuts -= 1
                    end = min(end, begin + outer.after)
                self.wfile.write(content[begin:end])

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = Server()
    yield served
    served.http.shutdown()
    served.http.server_close()
