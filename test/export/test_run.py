"""The whole export: file and card that any backend loads, compared at every step, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from openpose_ros import Estimator
from openpose_ros.backends import BackendError, make
from openpose_ros.backends.synthetic import group
from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.export import ExportError, run
from openpose_ros.export.pictures import Photos
from openpose_ros.export.quantise import in_int8
from openpose_ros.export.run import Exported, Order, export
from openpose_ros.options import BackendOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _exported_once(exported_graph: Any) -> Iterator[None]:
    """PyTorch's exporter takes seconds, and test_graph.py looks at what it makes."""

    def copy(card: Card) -> Any:
        model = onnx.ModelProto()
        model.CopyFrom(exported_graph)
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "float_graph", copy)
        yield


def an_order(card: Card, photos: Path, folder: Path, precision: str, **settings: Any) -> Order:
    """The tolerance is that of random weights, whose int8 is worse than any trained network's."""
    given = {"tolerance": 0.6, "short_side": 64, "calibration": Photos(photos, 3), **settings}
    return Order(card, precision, folder, Photos(photos, 2), **given)


@pytest.fixture
def order(normalised_card: Card, drawn_photos: Path, tmp_path: Path) -> Callable[..., Order]:
    """Makes orders to ``out``."""
    return partial(an_order, normalised_card, drawn_photos, tmp_path / "out")


@pytest.fixture(scope="module")
def made(
    normalised_card: Card, drawn_photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Exported, list[str]]]:
    """The network in a precision, made once, and what was told meanwhile; float16 takes bytes. Not to be changed."""

    @cache
    def make_once(precision: str) -> tuple[Exported, list[str]]:
        told: list[str] = []
        folder = tmp_path_factory.mktemp(precision)
        settings = {"takes_bytes": precision == "float16"}
        return export(an_order(normalised_card, drawn_photos, folder, precision, **settings), told.append), told

    return make_once


Made = Callable[[str], tuple[Exported, list[str]]]


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_every_step_is_compared_in_two_programs(made: Made, precision: str) -> None:
    done, told = made(precision)
    names = [line.partition(" on ")[0] for line in told if " on 2 photos: " in line]
    assert names[-2:] == [f"{precision} in ONNX Runtime", f"{precision} in OpenVINO"]
    before = {
        "float32": [],
        "float16": ["float32 in ONNX Runtime", "float16 as a GPU rounds it"],
        "int8": ["float32 in ONNX Runtime"],
    }
    assert names[:-2] == before[precision]
    assert [one.name for one in done.comparisons] == names


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_file_and_card_stand_alone_in_their_folder(made: Made, precision: str) -> None:
    card = made(precision)[0].card
    assert card.path is not None
    files = sorted(path.name for path in card.path.parent.iterdir())
    assert files == [f"normalised-{precision}.onnx", f"normalised-{precision}.yaml"]


@pytest.mark.parametrize(("precision", "within"), [("float32", 1e-3), ("float16", 2e-2), ("int8", 0.6)])
def test_the_estimator_takes_the_card_as_any_other(
    made: Made, normalised_card: Card, drawn_photos: Path, precision: str, within: float
) -> None:
    inputs = InputOptions(input_size="64")
    found = Estimator.load(made(precision)[0].card.path or "", "openvino", precision="float32", inputs=inputs)
    expected = Estimator.load(normalised_card.path or "", "torch", "cpu", precision="float32", inputs=inputs)
    assert found.backend.precision == ("int8" if precision == "int8" else "float32")
    for image in Photos(drawn_photos, 3):
        one, true = found.fields([image]).pafs, expected.fields([image]).pafs
        assert np.sqrt(np.mean(np.square(one - true))) < within * np.sqrt(np.mean(np.square(true)))
    found.close()
    expected.close()


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_tensorrt_for_rtx_builds_the_file(made: Made, precision: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX; a GPU is not needed to build")
    from openpose_ros.backends.tensorrt_compile import compile_engine
    from openpose_ros.backends.tensorrt_library import library

    file = made(precision)[0].card.weights
    profile = [[1, 8, 8], [1, 64, 96], [2, 128, 128]]
    order = {"onnx": str(file), "profiles": [profile], "sm": "SM86", "timing": str(tmp_path / "t"), "room": tmp_path}
    compile_engine(library(), order)
    assert (tmp_path / "plan").stat().st_size > 100_000


def test_the_file_says_what_it_is(made: Made, normalised_card: Card) -> None:
    done, _ = made("int8")
    model = onnx.load(str(done.card.weights))
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["source_sha256"] == done.card.network["of"] == normalised_card.sha256
    assert (about["skeleton"], about["stride"], about["precision"]) == ("COCO-18", "8", "int8")
    assert json.loads(about["joints"]) == list(COCO_18.joints)
    assert json.loads(about["mean"]) == [100.0, 110.0, 120.0]
    for entry in ("scale", "paf_offset", "heat_offset", "channels", "licence", "version_onnx", "version_torch"):
        assert about[entry]
    assert json.loads(about["in_float32"]) == done.in_float
    assert not set(in_int8(model)) & set(done.in_float)
    assert "refinement_stages.0.trunk.0.squeeze" in done.in_float
    assert "refinement_stages.0.trunk.0.squeeze" in done.card.notes
    assert done.card.notes.endswith("Of random weights.")


def test_a_corrupted_graph_is_refused_and_nothing_is_left(
    order: Callable[..., Order], exported_graph: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoiled = onnx.ModelProto()
    spoiled.CopyFrom(exported_graph)
    weight = next(tensor for tensor in spoiled.graph.initializer if "initial_stage.pafs" in tensor.name)
    weight.CopyFrom(onnx.numpy_helper.from_array(np.zeros(tuple(weight.dims), np.float32), weight.name))
    monkeypatch.setattr(run, "float_graph", lambda card: spoiled)
    with pytest.raises(ExportError, match="float32 in ONNX Runtime answers .* off PyTorch"):
        export(order("float32", tolerance=0.0), lambda line: None)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_was_there_stays_when_the_new_one_is_refused(order: Callable[..., Order], tmp_path: Path) -> None:
    done = export(order("float32"), lambda line: None)
    assert done.card.weights is not None
    before = done.card.weights.read_bytes()
    with pytest.raises(ExportError, match="1e-12 is the most that is accepted"):
        export(order("float32", tolerance=1e-12), lambda line: None)
    assert done.card.weights.read_bytes() == before
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_the_accuracy_stands_in_the_card(
    order: Callable[..., Order], coco_folder: Callable[..., tuple[Path, Path]]
) -> None:
    size = (120, 160)
    annotations, images = coco_folder([(size, People.from_arrays(COCO_18, group(*size, COCO_18), size))])
    settings = {"annotated": AnnotatedPhotos(annotations, images), "annotations": annotations.name}
    done = export(order("float32", **settings), lambda line: None)
    assert done.ap == (0.0, 0.0)
    assert done.card.accuracy == {"AP": 0.0, "photos": "1 photos of person_keypoints.json at short side 64, float32"}


def test_the_accuracy_of_float16_is_that_of_a_gpu(
    order: Callable[..., Order], coco_folder: Callable[..., tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = []
    measure = run.run

    def watched(estimator: Any, *arguments: Any) -> Any:
        answers.append(estimator.fields([np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)]).heatmaps)
        return measure(estimator, *arguments)

    monkeypatch.setattr(run, "run", watched)
    annotations, images = coco_folder([((64, 96), People.empty(COCO_18, (64, 96)))])
    export(order("float16", annotated=AnnotatedPhotos(annotations, images)), lambda line: None)
    of_pytorch, of_file = answers
    np.testing.assert_array_equal(of_file, of_file.astype(np.float16).astype(np.float32))
    assert not np.array_equal(of_pytorch, of_pytorch.astype(np.float16).astype(np.float32))


def test_a_file_that_loses_too_much_is_refused(
    order: Callable[..., Order], coco_folder: Callable[..., tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_accuracy", lambda order, card, rounded: (51.7, 51.1))
    annotations, images = coco_folder([((64, 64), People.empty(COCO_18, (64, 64)))])
    with pytest.raises(ExportError, match=r"float32 loses 0\.60 AP, and 0\.5 is the most that is accepted"):
        export(order("float32", annotated=AnnotatedPhotos(annotations, images)), lambda line: None)


def test_what_people_are_worth_travels_along(order: Callable[..., Order], tmp_path: Path) -> None:
    given = order("float32")
    score = ROOT / "model" / "lightweight.person_score.safetensors"
    done = export(replace(given, card=replace(given.card, person_score=score)), lambda line: None)
    assert done.card.person_score == tmp_path / "out" / score.name
    assert done.card.person_score.read_bytes() == score.read_bytes()


def test_a_torn_file_is_told(made: Made, tmp_path: Path) -> None:
    card = made("float32")[0].card
    assert card.weights is not None
    torn = tmp_path / card.weights.name
    torn.write_bytes(card.weights.read_bytes()[:-1000])
    card = replace(card, weights=torn)
    with pytest.raises(CardError, match="a truncated download"):
        make("openvino", card, BackendOptions())
    with pytest.raises(BackendError, match=r"OpenVINO cannot read .*normalised-float32\.onnx"):
        make("openvino", replace(card, sha256=file_digest(torn)), BackendOptions())


def test_int8_is_a_precision_of_networks_that_have_such_a_file(made: Made, normalised_card: Card) -> None:
    card = made("int8")[0].card
    options = BackendOptions(backend="openvino", device="cpu", precision="int8")
    assert make("openvino", card, options).precision == "int8"
    with pytest.raises(BackendError, match="normalised has no file in int8"):
        make("openvino", normalised_card, options)
    assert card.path is not None
    beside = replace(normalised_card, path=card.path.parent / "normalised.yaml")
    assert make("openvino", beside, options).card == card


@pytest.mark.parametrize(
    ("precision", "settings", "reason"),
    [
        ("int8", {"calibration": None}, "--calibration DIR, some hundred of the kind"),
        ("bfloat16", {}, "precision is 'bfloat16'; expected one of float32, float16, int8"),
        ("float32", {"name": "../elsewhere"}, "without a folder"),
    ],
)
def test_an_order_that_cannot_be_is_told(
    order: Callable[..., Order], precision: str, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ExportError, match=reason):
        order(precision, **settings)
