"""The steps of an export, each compared with PyTorch before the next: graph, precision, bytes, file, card."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from openpose_ros.backends import Backend, BackendError, make
from openpose_ros.card import Card
from openpose_ros.estimator import Estimator
from openpose_ros.evaluation.coco import AnnotatedPhotos
from openpose_ros.evaluation.run import run
from openpose_ros.export import PRECISIONS, ExportError, require
from openpose_ros.export.bytes_input import with_bytes
from openpose_ros.export.equalise import equalised, largest, links
from openpose_ros.export.files import write
from openpose_ros.export.graph import OPSET, convolutions, float_graph
from openpose_ros.export.half import check_range, half, rounding
from openpose_ros.export.parity import TOLERANCES, Answer, Comparison, answer, compare
from openpose_ros.export.pictures import Inputs, Photos
from openpose_ros.export.quantise import in_int8, quantised, unbiased, unfit
from openpose_ros.export.referee import Referee
from openpose_ros.export.sensitive import spared
from openpose_ros.options import BackendOptions, DecodeOptions, InputOptions

UNBIASED_ON = 32
"""Photos from which the mean of an int8 convolution's error is learned."""

AP_LOSS = 0.5
"""AP that a file may lose, in COCO's percent."""


@dataclass(frozen=True)
class Order:
    """What to export, and what must hold.

    Attributes:
        card: of a network that is built in PyTorch.
        precision: one of ``PRECISIONS``.
        folder: where the file and its card go.
        photos: on which each step is compared with PyTorch.
        calibration: from which int8 takes its ranges; needed for it.
        name: of the file and its card; empty takes the card's and the precision.
        takes_bytes: the file normalises by itself.
        short_side: of the network's input, in pixels.
        tolerance: largest relative difference; 0 takes that of the precision.
        annotated: photos to measure the AP on; None measures none.
        annotations: name of the file that annotates them.
        ap_loss: largest loss of AP on them.
    """

    card: Card
    precision: str
    folder: Path
    photos: Photos
    calibration: Photos | None = None
    name: str = ""
    takes_bytes: bool = False
    short_side: int = 368
    tolerance: float = 0.0
    annotated: AnnotatedPhotos | None = None
    annotations: str = ""
    ap_loss: float = AP_LOSS

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ExportError(f"precision is {self.precision!r}; expected one of {', '.join(PRECISIONS)}")
        if self.precision == "int8" and self.calibration is None:
            raise ExportError(
                "int8 takes the range of every tensor from photos, and none are given: --calibration DIR, some hundred "
                "of the kind that the camera will see"
            )
        if self.name and Path(self.name).name != self.name:
            raise ExportError(f"the name {self.name!r} must be the beginning of a file's name, without a folder")

    @property
    def inputs(self) -> InputOptions:
        """How the network sees photos here."""
        return InputOptions(input_size=str(self.short_side))

    def allowed(self, precision: str) -> float:
        """Largest relative difference of a step."""
        return self.tolerance if self.tolerance and precision == self.precision else TOLERANCES[precision]


@dataclass(frozen=True)
class Exported:
    """What came out.

    Attributes:
        card: of the file.
        comparisons: of each step and program, with PyTorch.
        in_float: convolutions that stayed in float32, of an int8 file.
        ap: of PyTorch and of the file, where it was measured.
    """

    card: Card
    comparisons: list[Comparison]
    in_float: list[str]
    ap: tuple[float, float] | None


def export(order: Order, say: Callable[[str], None]) -> Exported:
    """Write ``NAME.onnx`` and ``NAME.yaml``, whole or not at all.

    Args:
        order: what to export.
        say: hears a line after each step.

    Raises:
        ExportError: the network cannot be exported, or a step answers otherwise than PyTorch; nothing is written.
        CardError: the card's weights are missing, torn or not those of its network.
        BackendError: PyTorch cannot run the network.
        DatasetError: annotated photos cannot be read.
        OSError: the files cannot be written.
    """
    require("torch", "onnxscript", "onnxruntime")
    source, began = order.card, time.perf_counter()
    model = float_graph(source)
    say(f"float32: {len(convolutions(model))} convolutions in ONNX {OPSET} after {time.perf_counter() - began:.0f} s")
    judge = Judge(order, say)
    if order.precision != "float32":
        judge("float32 in ONNX Runtime", Referee(source, model), "float32")
    in_float: list[str] = []
    rounded: onnx.ModelProto | None = None
    if order.precision == "float16":
        check_range(model, Inputs(order.photos, source, order.inputs))
        model = half(model)
        rounded = rounding(model)
        judge("float16 as a GPU rounds it", Referee(source, rounded), "float16")
    elif order.precision == "int8":
        model, in_float = _int8(model, order, say)
    if order.takes_bytes:
        model = with_bytes(model, source)
    order.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=order.folder) as room:
        name = order.name or f"{source.name}-{order.precision}"
        card = write(model, Path(room), name, source, order.precision, in_float)
        judge(f"{order.precision} in ONNX Runtime", _referee(card), order.precision)
        try:
            judge(f"{order.precision} in OpenVINO", _openvino(card), order.precision)
        except BackendError as error:
            say(f"not compared in OpenVINO: {error}")
        ap = _accuracy(order, card, rounded) if order.annotated is not None else None
        if ap is not None and order.annotated is not None:
            check_accuracy(order, order.precision, ap, say)
            at = f"{len(order.annotated)} photos of {order.annotations} at short side {order.short_side}"
            card = replace(card, accuracy={"AP": round(ap[1], 1), "photos": f"{at}, {order.precision}"})
            card.save(Path(room, f"{card.name}.yaml"))
        for part in sorted(Path(room).iterdir(), key=lambda path: path.suffix == ".yaml"):  # the card last
            part.replace(order.folder / part.name)
    return Exported(Card.load(order.folder / f"{card.name}.yaml"), judge.comparisons, in_float, ap)


class Judge:
    """Compares one program after the other with PyTorch, on the photos of an order.

    Attributes:
        comparisons: so far.
    """

    def __init__(self, order: Order, say: Callable[[str], None]) -> None:
        self.comparisons: list[Comparison] = []
        self._order = order
        self._say = say
        self._photos = list(order.photos)
        self._expected = self._answer(_pytorch(order.card))

    def __call__(self, name: str, backend: Backend, precision: str) -> None:
        """Compare, say how it went, and raise an ExportError when it is too far off for that precision."""
        comparison = compare(name, self._answer(backend), self._expected)
        self._say(str(comparison))
        comparison.check(self._order.allowed(precision))
        self.comparisons.append(comparison)

    def _answer(self, backend: Backend) -> Answer:
        reliable = DecodeOptions.from_mapping(self._order.card.thresholds())
        return answer(Estimator(backend, self._order.inputs, reliable), self._photos)


def _int8(model: onnx.ModelProto, order: Order, say: Callable[[str], None]) -> tuple[onnx.ModelProto, list[str]]:
    """The graph in int8, and the names of convolutions that stayed in float32."""
    assert order.calibration is not None
    inputs = Inputs(order.calibration, order.card, order.inputs)
    even = equalised(model, largest(model, [link.tensor for link in links(model)], inputs))
    kept = unfit(even)
    rounded = quantised(even, inputs, kept)
    rounded = unbiased(rounded, even, islice(inputs, UNBIASED_ON))
    say(f"int8: ranges of {len(in_int8(rounded))} convolutions on {len(order.calibration)} photos")
    seen = list(Inputs(order.photos, order.card, order.inputs))
    # A little below, because other programs round a little otherwise.
    result, worst = spared(rounded, even, seen, 0.9 * order.allowed("int8"), say)
    stayed = [name for name in convolutions(model) if name in {*kept, *worst}]
    if stayed:
        say(f"int8: {', '.join(stayed)} stay{'s' if len(stayed) == 1 else ''} in float32")
    return result, stayed


def check_accuracy(order: Order, what: str, ap: tuple[float, float], say: Callable[[str], None]) -> None:
    """Say the AP of PyTorch and of something else, and raise an ExportError when the latter is too low."""
    assert order.annotated is not None
    say(f"AP on {len(order.annotated)} photos: {ap[1]:.2f}, of PyTorch {ap[0]:.2f}")
    if not ap[0] - ap[1] <= order.ap_loss:
        raise ExportError(
            f"{what} loses {ap[0] - ap[1]:.2f} AP, and {order.ap_loss:g} is the most that is accepted (--ap-loss): "
            "nothing is written. With a smaller --tolerance more of an int8 network stays in float32"
        )


def measured_ap(order: Order, backend: Backend) -> float:
    """AP of a backend on the annotated photos of an order, in percent; the backend is closed."""
    assert order.annotated is not None
    estimator = Estimator(backend, order.inputs)
    try:
        return order.annotated.measure(run(estimator, order.annotated, backend.name).people)["AP"]
    finally:
        estimator.close()


def _accuracy(order: Order, card: Card, rounded: onnx.ModelProto | None) -> tuple[float, float]:
    """AP of PyTorch and of the file, in percent; of a float16 one as a GPU rounds it."""
    try:
        fast: Backend = _openvino(card) if rounded is None else Referee(order.card, rounded)
    except BackendError:
        fast = _referee(card)
    return measured_ap(order, _pytorch(order.card)), measured_ap(order, fast)


def _pytorch(card: Card) -> Backend:
    return make("torch", card, BackendOptions(backend="torch", device="cpu", precision="float32"))


def _openvino(card: Card) -> Backend:
    return make("openvino", card, BackendOptions(backend="openvino", device="cpu", precision="float32"))


def _referee(card: Card) -> Backend:
    """Of the file as it was written."""
    return Referee(card, onnx.load(str(card.verified_weights())))
