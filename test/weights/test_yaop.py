"""The TensorFlow 2 implementation's SavedModel, written here by its names, against the network they come from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
from torch import Tensor
from torch.nn import functional

from openpose_ros.card import Card
from openpose_ros.skeleton import YAOP_18
from openpose_ros.weights import WeightsError, tensorflow_bundle, yaop
from openpose_ros.weights.convert import convert
from openpose_ros.weights.store import load_network

sys.path.insert(0, str(Path(__file__).parent))
from saved_model import write_saved_model

Variables = dict[str, npt.NDArray[np.float32]]
JOINTS, LIMBS = len(YAOP_18.joints), len(YAOP_18.limbs)


def variables() -> Variables:
    """Random numbers by the published names, in TensorFlow's layout, in the published widths."""
    generator = np.random.default_rng(0)
    made: Variables = {}

    def conv(name: str, inputs: int, outputs: int, kernel: int, slope: bool) -> int:
        spread = (1.6 / (inputs * kernel * kernel)) ** 0.5
        made[f"{name}/kernel"] = generator.normal(0.0, spread, (kernel, kernel, inputs, outputs)).astype(np.float32)
        made[f"{name}/bias"] = generator.normal(0.0, 0.05, outputs).astype(np.float32)
        if slope:
            made[f"{name}_act/alpha"] = generator.uniform(-0.2, 0.4, (1, 1, outputs)).astype(np.float32)
        return outputs

    channels = 3
    for block, (count, outputs) in enumerate(((2, 64), (2, 128), (3, 256)), 1):
        for n in range(1, count + 1):
            channels = conv(f"block{block}_conv{n}", channels, outputs, 3, False)
    for n, outputs in enumerate((512, 512, 256, 256), 1):
        channels = conv(f"stage0_final_conv{n}", channels, outputs, 1, True)
    inputs = [256, *[256 + 2 * LIMBS] * 4, 256 + 2 * LIMBS + JOINTS]
    for stage, seen in enumerate(inputs, 1):
        name, width = f"s{stage}{'pafs' if stage < 5 else 'kpts'}", 96 if stage in (1, 5) else 128
        for block in range(1, 6):
            for n in range(1, 4):
                before = width if n > 1 else seen if block == 1 else 3 * width
                conv(f"{name}_block{block}_conv{n}", before, width, 3, True)
        conv(f"{name}_final1conv", 3 * width, 512, 1, True)
        conv(f"{name}_final2conv", 512, 2 * LIMBS if stage < 5 else JOINTS, 1, False)
    return made


def reference(made: Variables, image: Tensor) -> tuple[Tensor, Tensor]:
    """(PAFs, heatmaps) in the published order, layer by layer."""

    def conv(name: str, x: Tensor, slope: bool = True) -> Tensor:
        kernel = torch.from_numpy(np.ascontiguousarray(made[f"{name}/kernel"].transpose(3, 2, 0, 1)))
        y = functional.conv2d(x, kernel, torch.from_numpy(made[f"{name}/bias"]), padding=kernel.shape[2] // 2)
        return functional.prelu(y, torch.from_numpy(made[f"{name}_act/alpha"].reshape(-1))) if slope else y

    x = image
    for block, count in enumerate((2, 2, 3), 1):
        for n in range(1, count + 1):
            x = torch.relu(conv(f"block{block}_conv{n}", x, False))
        x = functional.max_pool2d(x, 2)
    for n in range(1, 5):
        x = conv(f"stage0_final_conv{n}", x)
    features = x

    def stage(name: str, *seen: Tensor) -> Tensor:
        y = torch.cat(seen, 1)
        for block in range(1, 6):
            parts = []
            for n in range(1, 4):
                y = conv(f"{name}_block{block}_conv{n}", y)
                parts.append(y)
            y = torch.cat(parts, 1)
        return conv(f"{name}_final2conv", conv(f"{name}_final1conv", y), False)

    pafs = stage("s1pafs", features)
    for n in (2, 3, 4):
        pafs = stage(f"s{n}pafs", pafs, features)
    first = torch.tanh(stage("s5kpts", pafs, features))
    return pafs, torch.tanh(stage("s6kpts", first, pafs, features))


@pytest.fixture(scope="module")
def made() -> Variables:
    return variables()


def test_a_saved_model_answers_as_its_layers(made: Variables, tmp_path: Path) -> None:
    source = write_saved_model(tmp_path / "model11_test", made)
    card = convert(source, tmp_path / "new")
    assert (card.name, card.skeleton, card.channels, card.scale) == ("yaop", YAOP_18, "RGB", (1 / 255,) * 3)
    assert card.licence.startswith("MPL-2.0")
    assert card.path is not None
    assert Card.load(card.path) == card
    image = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        theirs, parts = reference(made, image)
        heatmaps, pafs = load_network(card)(image)[-1].both()
    assert float(parts.std()) > 1e-3
    torch.testing.assert_close(heatmaps[:, :JOINTS], parts, rtol=1e-3, atol=1e-4)
    assert not heatmaps[:, JOINTS].any()
    down, across = theirs.split(LIMBS, 1)
    in_our_order = torch.stack([across, down], 2).flatten(1, 2)
    torch.testing.assert_close(pafs, in_our_order, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_the_network_has_the_published_number_of_parameters(made: Variables) -> None:
    """The index of trained_models/model11_test-15Sun1219-2101 lists 21,979,692 numbers in 326 variables."""
    assert (len(made), sum(table.size for table in made.values())) == (326, 21_979_692)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_the_files_in_the_folder_may_be_named_as_well(made: Variables, tmp_path: Path, name: str) -> None:
    folder = write_saved_model(tmp_path / "model", {"a/kernel": np.ones((1, 2), np.float32)})
    with pytest.raises(WeightsError, match=r"no variable stage0_final_conv1/kernel, but a/kernel and so on"):
        convert(folder / name, tmp_path / "new")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("s3pafs_block2_conv1/bias", None, r"missing s3pafs_block2_conv1/bias$"),
        ("s6kpts_final1conv_act/alpha", None, r"missing s6kpts_final1conv_act/weight$"),
        ("more/kernel", np.ones((1, 1, 2, 2), np.float32), r"unused more/weight$"),
        ("block1_conv1/bias", np.ones(9, np.float32), r"block1_conv1/bias has shape \(9,\); the network needs \(64,\)"),
        ("s4pafs_final2conv/bias", np.ones(7, np.float32), r"shape \(7,\); the network needs \(34,\)"),
    ],
)
def test_what_does_not_fit_is_named(made: Variables, name: str, value: Any, reason: str) -> None:
    changed = dict(made)
    changed.pop(name, None)
    if value is not None:
        changed[name] = value
    with pytest.raises(WeightsError, match=reason):
        yaop.converted(changed, Path("a"))


def test_variables_are_read_from_many_blocks(tmp_path: Path) -> None:
    given = {f"layer{n}/kernel": np.full((n + 1, 2), n, np.float32) for n in range(40)}
    found = tensorflow_bundle.read(write_saved_model(tmp_path / "model", given, block=100))
    assert found.keys() == given.keys()
    for name, table in given.items():
        np.testing.assert_array_equal(found[name], table)


@pytest.mark.parametrize("file", ["variables.index", "variables.data-00000-of-00001"])
@pytest.mark.parametrize("kept", [0, 20, -9])
def test_a_file_cut_short_is_refused(tmp_path: Path, file: str, kept: int) -> None:
    folder = write_saved_model(tmp_path / "model", {"a/kernel": np.ones((3, 2), np.float32)})
    path = folder / "variables" / file
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=f"{file}.*(cut short|cannot be read)"):
        tensorflow_bundle.read(folder)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    folder = write_saved_model(tmp_path / "model", {"a/kernel": np.ones((3, 2), np.float32)})
    (folder / "variables" / "variables.data-00000-of-00001").unlink()
    with pytest.raises(WeightsError, match="data-00000-of-00001 is not readable: No such file"):
        tensorflow_bundle.read(folder)
