"""ONNX Runtime as referee: a second program that runs the files, on the CPU.

It rounds to int8 as a file says, but computes float16 in float32, as OpenVINO does on most CPUs: what float16 costs is
seen with ``half.rounding``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from openpose_ros.card import Card
from openpose_ros.export import ExportError, require
from openpose_ros.fields import Fields
from openpose_ros.preprocess import Batch, Image

Floats = npt.NDArray[np.float32]


class Session:
    """A graph ready to run."""

    def __init__(self, model: onnx.ModelProto, outputs: Sequence[str] = ()) -> None:
        """Prepare it.

        Args:
            model: the graph.
            outputs: names of any of its tensors; empty takes the graph's own outputs.

        Raises:
            ExportError: ONNX Runtime is missing or refuses the graph.
        """
        require("onnxruntime")
        import onnxruntime

        self.input = model.graph.input[0].name
        own = [value.name for value in model.graph.output]
        self.outputs = list(outputs) or own
        self._computed = [name for name in self.outputs if name != self.input]
        inner = [name for name in self._computed if name not in own]
        if inner:
            shown = onnx.ModelProto()
            shown.CopyFrom(model)
            shown.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
            model = shown
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Else it rounds biases, and weights that are meant to stay in float, where a neighbour is in int8.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no common kind
            raise ExportError(f"ONNX Runtime refuses the graph: {' '.join(str(error).split())}") from None

    def __call__(self, given: npt.NDArray[Any]) -> list[Floats]:
        """The outputs for one input."""
        found = dict(zip(self._computed, self._session.run(self._computed, {self.input: given}), strict=True))
        return [found.get(name, given) for name in self.outputs]


class Referee:
    """An ONNX file's network in ONNX Runtime; see :class:`~openpose_ros.backends.Backend`.

    It is slower than OpenVINO and gains nothing on a CPU: it judges files, and nobody's frames.
    """

    name = "onnxruntime"
    device = "cpu"

    def __init__(self, card: Card, model: onnx.ModelProto) -> None:
        """Prepare a graph with one input, and heatmaps and PAFs for output, in that order.

        Args:
            card: says how the graph is fed and read.
            model: the graph.

        Raises:
            ExportError: as :class:`Session`.
        """
        self.card = card
        self.precision = str(card.network.get("precision", "float32"))
        self._bytes = model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
        self._session = Session(model)

    def __call__(self, batch: Batch) -> Fields:
        given = batch.images if self._bytes else network_input(batch.images, self.card)
        heatmaps, pafs = self._session(given)
        return Fields(
            heatmaps,
            pafs.reshape(len(pafs), -1, 2, *pafs.shape[2:]),
            batch.grids,
            self.card.skeleton,
            self.card.paf_offset,
            self.card.heat_offset,
        )

    def close(self) -> None:
        del self._session


def network_input(images: Image, card: Card) -> Floats:
    """(B, H, W, 3) uint8 BGR -> (B, 3, H, W) float32 as the card's network wants it."""
    ordered = images[..., ::-1] if card.channels == "RGB" else images
    mean, scale = np.asarray(card.mean, np.float32), np.asarray(card.scale, np.float32)
    normalised = (ordered.astype(np.float32) - mean) * scale
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), np.float32)
