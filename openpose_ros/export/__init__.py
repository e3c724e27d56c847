"""Export: a card's network as an ONNX file that carries itself, in the precision asked for, compared with PyTorch."""

from __future__ import annotations

PRECISIONS = ("float32", "float16", "int8")
"""What a file can be written in."""


class ExportError(ValueError):
    """A network that cannot be exported, or a file that does not answer as PyTorch does; the text says why."""
