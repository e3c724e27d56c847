"""CMU's networks out of Caffe's, PyTorch's and NumPy's files, against the same weights put through CMU's layers.

The files are written here, by the published names and layouts, at a sixteenth of the networks' width.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, prelu, relu

from openpose_ros.card import Card
from openpose_ros.commands import convert as command
from openpose_ros.skeleton import BODY_25, COCO_18, MPI_15, Skeleton
from openpose_ros.weights import WeightsError, cmu, pickled_layers
from openpose_ros.weights.convert import convert
from openpose_ros.weights.layer_names import caffe_2017, caffe_2018, keras_2017
from openpose_ros.weights.placing import places
from openpose_ros.weights.store import load_network, parameter_shapes

Layers = dict[str, npt.NDArray[np.float32]]
NARROW = 1 / 16


def narrow(network: Mapping[str, Any]) -> dict[str, Any]:
    backbone = network["backbone"]
    backbone = {"type": backbone} if isinstance(backbone, str) else backbone
    return {
        **network,
        "backbone": {**backbone, "width": NARROW},
        "stages": {**network["stages"], "width": NARROW},
    }


@pytest.fixture(autouse=True)
def narrow_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real widths would mean 209 MB a test."""
    real = cmu.architecture

    def found(layers: Layers, source: Path) -> cmu.Architecture:
        made = real(layers, source)
        return replace(made, network=narrow(made.network))

    monkeypatch.setattr(cmu, "architecture", found)


NET_2018 = {
    "type": "openpose",
    "backbone": {"type": "vgg19", "prelu": True},
    "stages": {"type": "dense", "paf_stages": 4, "heatmap_stages": 2},
}


def net_2017(refinements: int) -> dict[str, Any]:
    return {"type": "openpose", "backbone": "vgg19", "stages": {"type": "two_branch", "refinements": refinements}}


def layers_of(network: Mapping[str, Any], skeleton: Skeleton, names: Mapping[str, str]) -> Layers:
    """Random weights that let a picture through, by the names and in the order of the published definition."""
    shapes = parameter_shapes(Card("a", narrow(network), skeleton))
    generator = np.random.default_rng(0)
    made = {}
    for theirs, ours in places(names, shapes).items():
        shape = shapes[ours]
        spread = (2.0 / np.prod(shape[1:])) ** 0.5 if len(shape) == 4 else 0.3
        made[theirs] = generator.normal(0.0, spread, shape).astype(np.float32)
    return made


def trunk(layers: Layers, image: Tensor, slopes: bool) -> Tensor:
    """CMU's layers up to conv4_4_CPM."""
    x = image
    for group, last in enumerate((2, 2, 4), 1):
        for number in range(1, last + 1):
            x = applied(layers, f"conv{group}_{number}", x, "relu")
        x = max_pool2d(x, 2)
    x = applied(layers, "conv4_1", x, "relu")
    for name in ("4_2", "4_3_CPM", "4_4_CPM"):
        x = applied(layers, f"conv{name}", x, f"prelu{name}" if slopes else "relu")
    return x


def applied(layers: Layers, name: str, x: Tensor, then: str = "") -> Tensor:
    weight, bias = (torch.from_numpy(layers[f"{name}/{kind}"]) for kind in ("weight", "bias"))
    x = conv2d(x, weight, bias, padding=weight.shape[2] // 2)
    if then == "relu":
        return relu(x)
    return prelu(x, torch.from_numpy(layers[f"{then}/weight"])) if then else x


def reference_2017(layers: Layers, image: Tensor, stages: int, first: str) -> tuple[Tensor, Tensor]:
    """(heatmaps, pafs): L1 are the PAFs, and a stage sees [L1, L2, features].

    ``first``: how layer K of the first stage's branch B is called.
    """
    features = trunk(layers, image, slopes=False)
    x = features
    for stage in range(1, stages + 1):
        ends = []
        for branch in ("L1", "L2"):
            y, depth = x, 5 if stage == 1 else 7
            for k in range(1, depth + 1):
                name = first.format(k=k, b=branch) if stage == 1 else f"Mconv{k}_stage{stage}_{branch}"
                y = applied(layers, name, y, "relu" if k < depth else "")
            ends.append(y)
        x = torch.cat([*ends, features], 1)
    return ends[1], ends[0]


def reference_2018(layers: Layers, image: Tensor) -> tuple[Tensor, Tensor]:
    """(heatmaps, pafs): L2 are the PAFs, four stages of them, then two of L1, the heatmaps."""
    features = trunk(layers, image, slopes=True)

    def stage(name: str, x: Tensor) -> Tensor:
        for block in range(1, 6):
            seen = []
            for k in range(3):
                x = applied(layers, f"Mconv{block}_{name}_{k}", x, f"Mprelu{block}_{name}_{k}")
                seen.append(x)
            x = torch.cat(seen, 1)
        return applied(layers, f"Mconv7_{name}", applied(layers, f"Mconv6_{name}", x, f"Mprelu6_{name}"))

    pafs = stage("stage0_L2", features)
    for number in (1, 2, 3):
        pafs = stage(f"stage{number}_L2", torch.cat([features, pafs], 1))
    heatmaps = stage("stage0_L1", torch.cat([features, pafs], 1))
    return stage("stage1_L1", torch.cat([features, heatmaps, pafs], 1)), pafs


def caffemodel(layers: Layers, path: Path) -> Path:
    def number(value: int) -> bytes:
        return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])

    def field(which: int, content: bytes) -> bytes:
        return number(which << 3 | 2) + number(len(content)) + content

    content = field(1, b"pose")
    for name in dict.fromkeys(key.rpartition("/")[0] for key in layers):
        blobs = [layers[f"{name}/{kind}"] for kind in ("weight", "bias") if f"{name}/{kind}" in layers]
        kind = b"Convolution" if len(blobs) == 2 else b"PReLU"
        held = [field(7, field(1, b"".join(map(number, b.shape)))) + field(5, b.tobytes()) for b in blobs]
        content += field(100, field(1, name.encode()) + field(2, kind) + b"".join(field(7, blob) for blob in held))
    path.write_bytes(content)
    return path


def torch_state(layers: Layers, path: Path, prefix: str = "") -> Path:
    state = {f"{prefix}{name.replace('/', '.')}": torch.from_numpy(table) for name, table in layers.items()}
    torch.save(state, path)
    return path


def pickled(layers: Layers, path: Path) -> Path:
    table: dict[str, dict[str, npt.NDArray[np.float32]]] = {}
    for name, values in layers.items():
        layer, _, kind = name.partition("/")
        entry = table.setdefault(layer, {})
        if kind == "weight":
            entry["weights"] = np.ascontiguousarray(values.transpose(2, 3, 1, 0))
        else:
            entry["biases"] = values
    np.save(path, np.array(table, dtype=object), allow_pickle=True)
    return path


def keras(layers: Layers, path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        names = list(dict.fromkeys(key.rpartition("/")[0] for key in layers))
        file.attrs["layer_names"] = [name.encode() for name in ["input_1", *names]]
        file.create_group("input_1").attrs["weight_names"] = []
        for name in names:
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{kind}:0".encode() for kind in ("kernel", "bias")]
            group[f"{name}/kernel:0"] = layers[f"{name}/weight"].transpose(2, 3, 1, 0)
            group[f"{name}/bias:0"] = layers[f"{name}/bias"]
    return path


def answers(card: Card) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        heatmaps, pafs = load_network(card)(image())[-1].both()
    return heatmaps, pafs


def image() -> Tensor:
    pixels = np.random.default_rng(1).normal(0.0, 0.3, (1, 3, 48, 64)).astype(np.float32)
    tensor: Tensor = torch.from_numpy(pixels)
    return tensor


def same(found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        assert theirs.std() > 1e-3
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


CPM = "conv5_{k}_CPM_{b}"


@pytest.mark.parametrize(("skeleton", "refinements"), [(COCO_18, 5), (MPI_15, 3)], ids=["coco", "mpi of 4 stages"])
def test_a_caffemodel_of_2017_answers_as_its_layers(tmp_path: Path, skeleton: Skeleton, refinements: int) -> None:
    layers = layers_of(net_2017(refinements), skeleton, caffe_2017(refinements))
    card = convert(caffemodel(layers, tmp_path / "pose_iter.caffemodel"), tmp_path / "new", accept_licence=True)
    assert (card.name, card.skeleton, card.channels, card.scale) == ("pose_iter", skeleton, "BGR", (1 / 256,) * 3)
    assert card.network["stages"]["refinements"] == refinements
    same(answers(card), reference_2017(layers, image(), refinements + 1, CPM))


def test_a_caffemodel_of_body_25_answers_as_its_layers(tmp_path: Path) -> None:
    layers = layers_of(NET_2018, BODY_25, caffe_2018())
    card = convert(caffemodel(layers, tmp_path / "body.caffemodel"), tmp_path / "new", accept_licence=True)
    assert card.skeleton == BODY_25
    same(answers(card), reference_2018(layers, image()))


@pytest.mark.parametrize("prefix", ["", "model0.", "module.model3_1."])
def test_the_file_of_pytorch_openpose_answers_as_its_layers(tmp_path: Path, prefix: str) -> None:
    layers = layers_of(net_2017(1), COCO_18, caffe_2017(1))
    path = torch_state(layers, tmp_path / "body_pose_model.pth", prefix)
    same(answers(convert(path, tmp_path, accept_licence=True)), reference_2017(layers, image(), 2, CPM))


def test_the_table_of_tf_openpose_answers_as_its_layers(tmp_path: Path) -> None:
    layers = layers_of(net_2017(1), COCO_18, caffe_2017(1))
    path = pickled(layers, tmp_path / "openpose_coco.npy")
    same(answers(convert(path, tmp_path, accept_licence=True)), reference_2017(layers, image(), 2, CPM))


def test_the_file_of_the_keras_reproductions_answers_as_its_layers(tmp_path: Path) -> None:
    layers = layers_of(net_2017(1), COCO_18, keras_2017(1))
    path = keras(layers, tmp_path / "model.h5")
    wanted = reference_2017(layers, image(), 2, "Mconv{k}_stage1_{b}")
    same(answers(convert(path, tmp_path, accept_licence=True)), wanted)


def test_without_accepting_the_licence_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = caffemodel(layers_of(net_2017(2), COCO_18, caffe_2017(2)), tmp_path / "coco.caffemodel")
    assert command.main([str(source), "--output", str(tmp_path / "new")]) == 1
    said = capsys.readouterr().err
    assert "non-commercial" in said
    assert "--accept-licence" in said
    assert not (tmp_path / "new").exists()
    assert command.main([str(source), "--output", str(tmp_path / "new"), "--accept-licence"]) == 0
    assert "licence  CMU OpenPose: academic or non-profit non-commercial research only" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("conv4_3_CPM/bias", None, r"missing conv4_3_CPM/bias$"),
        ("fc9/weight", np.ones((1, 1), np.float32), r"unused fc9/weight$"),
        ("conv1_1/bias", np.ones(9, np.float32), r"conv1_1/bias has shape \(9,\); the network needs \(4,\)"),
        ("conv1_1/bias", np.full(4, np.nan, np.float32), "conv1_1/bias holds numbers that are not finite"),
        ("Mconv7_stage3_L2/bias", np.ones(5, np.float32), "5 heatmaps .* and 38 PAFs"),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: npt.NDArray[np.float32] | None, reason: str) -> None:
    layers = layers_of(net_2017(2), COCO_18, caffe_2017(2))
    layers.pop(name, None)
    if value is not None:
        layers[name] = value
    with pytest.raises(WeightsError, match=reason):
        cmu.converted(layers, Path("a.caffemodel"))


def test_a_missing_slope_is_named() -> None:
    layers = layers_of(NET_2018, BODY_25, caffe_2018())
    del layers["Mprelu3_stage2_L2_1/weight"]
    with pytest.raises(WeightsError, match=r"missing Mprelu3_stage2_L2_1/weight$"):
        cmu.converted(layers, Path("a.caffemodel"))


def test_another_network_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"none of CMU's body networks: .* it has fc6/weight and so on"):
        cmu.converted({"fc6/weight": np.ones(1, np.float32)}, Path("a.caffemodel"))


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".pth", ".npy"])
def test_a_file_that_would_execute_something_is_refused(tmp_path: Path, suffix: str) -> None:
    source, touched = tmp_path / f"evil{suffix}", tmp_path / "touched"
    if suffix == ".npy":
        np.save(source, np.array({"conv1_1": Evil(touched)}, dtype=object), allow_pickle=True)
    else:
        torch.save({"conv1_1.weight": Evil(touched)}, source)
    with pytest.raises(WeightsError, match="is not readable as"):
        convert(source, tmp_path / "new", accept_licence=True)
    assert not touched.exists()
    pickle.loads(pickle.dumps(Evil(touched)))
    assert touched.exists(), "the file would have done it"


@pytest.mark.parametrize("suffix", [".pth", ".npy"])
@pytest.mark.parametrize("kept", [0, 5, 300, -20])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str, kept: int) -> None:
    write = torch_state if suffix == ".pth" else pickled
    whole = write({"conv1_1/weight": np.ones((4, 3, 3, 3), np.float32)}, tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"torn{suffix}").write_bytes(whole[:kept])
    with pytest.raises(WeightsError, match=r"torn\.(pth|npy) is not readable as"):
        convert(tmp_path / f"torn{suffix}", tmp_path / "new", accept_licence=True)


def test_a_table_pickled_by_python_2_is_read(tmp_path: Path) -> None:
    layers = layers_of(net_2017(1), COCO_18, caffe_2017(1))
    new = pickled(layers, tmp_path / "new.npy")
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    described = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    held = np.load(new, allow_pickle=True)
    old = pickle.dumps(held, protocol=2, fix_imports=True)
    old = old.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "old.npy").write_bytes(header + described + old)
    first, second = (pickled_layers.read(tmp_path / f"{age}.npy") for age in ("new", "old"))
    assert first.keys() == second.keys() == layers.keys()
    for name, table in second.items():
        np.testing.assert_array_equal(table, layers[name])
        np.testing.assert_array_equal(table, first[name])
