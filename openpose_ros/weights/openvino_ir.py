"""Reads the weights of convolutions out of an OpenVINO IR (.xml with .bin, version 10 and later) with NumPy alone.

Quantised files are read as well: their weights are stored as integers and made floats by a chain of constant
layers, which is evaluated here; the FakeQuantize layers on activations are passed over. Nothing is executed.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from openpose_ros.weights import WeightsError

Array = npt.NDArray[Any]

TYPES = {"f32": "<f4", "f16": "<f2", "i8": "i1", "u8": "u1", "i32": "<i4", "i64": "<i8"}
"""Element types of constants, as NumPy writes them."""

CONVOLUTIONS = ("Convolution", "GroupConvolution")

NO_BIAS = {"ReLU", "Elu", "FakeQuantize", "Concat", "Result"}
"""What may follow a convolution that has no bias."""


@dataclass(frozen=True)
class Layer:
    """A layer of the graph: its name, operation, settings, and the layers that feed it, by number."""

    name: str
    kind: str
    data: dict[str, str]
    inputs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Graph:
    """The layers of an IR by number, and the constants' bytes."""

    path: Path
    layers: dict[str, Layer] = field(repr=False)
    constants: bytes = field(repr=False)

    @cached_property
    def consumers(self) -> dict[str, list[str]]:
        """For each layer the layers that it feeds."""
        found: dict[str, list[str]] = {number: [] for number in self.layers}
        for number, layer in self.layers.items():
            for source in layer.inputs:
                found[source].append(number)
        return found

    def convolutions(self) -> dict[str, npt.NDArray[np.float32]]:
        """Weights and biases of all convolutions.

        Returns:
            Weights (O, I / groups, kh, kw) by ``<layer>/weight`` and biases (O,) by ``<layer>/bias``, zeros where
            nothing is added; layers go by their name in the original network.

        Raises:
            WeightsError: the weights of a convolution are no constants, it is followed by something unknown, or the
                ``.bin`` is cut short.
        """
        tables: dict[str, npt.NDArray[np.float32]] = {}
        for number, layer in self.layers.items():
            if layer.kind not in CONVOLUTIONS:
                continue
            name = layer.name.removesuffix("/WithoutBiases")
            weight = self.constant(layer.inputs[1]) if len(layer.inputs) == 2 else None
            if weight is None:
                raise WeightsError(f"{self.path}: the weights of {name!r} are not made of constants in a known way")
            if layer.kind == "GroupConvolution":  # (groups, O / groups, I / groups, kh, kw)
                weight = weight.reshape(-1, *weight.shape[2:])
            tables[f"{name}/weight"] = weight.astype(np.float32)
            tables[f"{name}/bias"] = self._bias(name, number, len(weight))
        return tables

    def preprocessing(self) -> tuple[float, float]:
        """(mean, scale) of the input, (value - mean) * scale, as the network applies them to what it is fed.

        Raises:
            WeightsError: the input is not first multiplied and then shifted, by one constant for all colours.
        """
        inputs = [number for number, layer in self.layers.items() if layer.kind == "Parameter"]
        factors = []
        for kind in ("Multiply", "Add"):
            following = self.consumers[inputs[0]] if len(inputs) == 1 else []
            value = self._operand(following[0], inputs[0]) if len(following) == 1 else None
            if value is None or self.layers[following[0]].kind != kind or value.size == 0 or np.ptp(value) != 0:
                raise WeightsError(f"{self.path} does not begin with one factor and one offset for all colours")
            factors.append(float(value.flat[0]))
            inputs = following
        scale, shift = factors
        return (-shift / scale if scale else 0.0), scale

    @property
    def quantised(self) -> bool:
        """Whether activations are rounded on their way; these roundings are left out of what is read here."""
        return any(layer.kind == "FakeQuantize" for layer in self.layers.values())

    def _bias(self, name: str, number: str, outputs: int) -> npt.NDArray[np.float32]:
        """The constant that the layer behind a convolution adds to it; zeros where an activation or the end follows."""
        following = self.consumers[number]
        kinds = {self.layers[other].kind for other in following}
        if kinds <= NO_BIAS:
            return np.zeros(outputs, np.float32)
        added = self._operand(following[0], number) if len(following) == 1 and kinds == {"Add"} else None
        if added is None:
            raise WeightsError(f"{self.path}: {name!r} is followed by {', '.join(sorted(kinds))}, which is no bias")
        return added.astype(np.float32).reshape(-1)

    def _operand(self, number: str, known: str) -> Array | None:
        """The constant that a layer of two inputs takes beside the known one."""
        others = [source for source in self.layers[number].inputs if source != known]
        return self.constant(others[0]) if len(others) == 1 else None

    def constant(self, number: str) -> Array | None:
        """Value of a layer that depends on constants alone, in float32 or as integers; None for any other."""
        layer = self.layers[number]
        if layer.kind == "Const":
            return self._stored(layer)
        if layer.kind not in ("Convert", "Add", "Subtract", "Multiply", "Reshape"):
            return None
        values = []
        for source in layer.inputs:
            value = self.constant(source)
            if value is None:
                return None
            values.append(value)
        try:
            return _evaluate(layer, values)
        except (ValueError, IndexError, KeyError) as error:
            raise WeightsError(f"{self.path}: layer {layer.name!r} ({layer.kind}) does not compute: {error}") from None

    def _stored(self, layer: Layer) -> Array:
        try:
            kind = np.dtype(TYPES[layer.data["element_type"]])
            shape = [int(size) for size in layer.data["shape"].split(",") if size.strip()]
            offset, size = int(layer.data["offset"]), int(layer.data["size"])
        except (KeyError, ValueError) as error:
            raise WeightsError(f"{self.path}: constant {layer.name!r} is not described as expected: {error}") from None
        if min(shape, default=1) < 0 or size != prod(shape) * kind.itemsize:
            raise WeightsError(f"{self.path}: constant {layer.name!r} of shape {shape} has {size} bytes")
        if offset < 0 or offset + size > len(self.constants):
            raise WeightsError(
                f"{self.path.with_suffix('.bin')} has {len(self.constants)} bytes, but constant {layer.name!r} ends at "
                f"{offset + size}: it is cut short or belongs to another .xml"
            )
        values = np.frombuffer(self.constants, kind, prod(shape), offset).reshape(shape)
        return values.astype(np.float32) if kind.kind == "f" else values


def read(path: Path) -> Graph:
    """Layers, edges and constants of an IR, the ``.bin`` lying beside the ``.xml``.

    Raises:
        WeightsError: a file is missing or malformed.
    """
    binary = path.with_suffix(".bin")
    try:
        root = ElementTree.parse(path).getroot()
        constants = binary.read_bytes()
    except ElementTree.ParseError as error:
        raise WeightsError(f"{path} is not readable as XML: {error}") from None
    except OSError as error:
        raise WeightsError(f"{error.filename} is not readable: {error.strerror}") from None
    if root.tag != "net" or not (root.get("version") or "").isdigit() or int(root.get("version", "0")) < 10:
        raise WeightsError(f"{path} is not an OpenVINO IR of version 10 or later")
    try:
        layers = {}
        for entry in root.iterfind("layers/layer"):
            data = entry.find("data")
            settings = {} if data is None else dict(data.attrib)
            layers[entry.attrib["id"]] = Layer(entry.attrib["name"], entry.attrib["type"], settings)
        edges = [edge.attrib for edge in root.iterfind("edges/edge")]
        for edge in sorted(edges, key=lambda edge: int(edge["to-port"])):
            if edge["from-layer"] not in layers:
                raise KeyError(edge["from-layer"])
            layers[edge["to-layer"]].inputs.append(edge["from-layer"])
        TopologicalSorter({number: layer.inputs for number, layer in layers.items()}).prepare()
    except CycleError:
        raise WeightsError(f"{path}: some of its layers feed each other in a circle") from None
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{path} is not a complete IR: its layers and edges lack {error}") from None
    return Graph(path, layers, constants)


def _evaluate(layer: Layer, values: list[Array]) -> Array:
    if layer.kind == "Convert":
        kind = np.dtype(TYPES[layer.data["destination_type"]])
        return values[0].astype(np.float32 if kind.kind == "f" else kind)
    if layer.kind == "Reshape":
        shape = [int(size) for size in values[1]]
        if layer.data.get("special_zero") == "true":  # 0 keeps that size
            shape = [size or values[0].shape[axis] for axis, size in enumerate(shape)]
        return values[0].reshape(shape)
    first, second = values
    if layer.kind == "Multiply":
        return np.asarray(first * second)
    return np.asarray(first + second if layer.kind == "Add" else first - second)
