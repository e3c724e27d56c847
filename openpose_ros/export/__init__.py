"""Export: a card's network as an ONNX file that carries itself, in the precision asked for, compared with PyTorch."""

from __future__ import annotations

from importlib import import_module

PRECISIONS = ("float32", "float16", "int8")
"""What a file can be written in."""


class ExportError(ValueError):
    """A network that cannot be exported, or a file that does not answer as PyTorch does; the text says why."""


def require(*packages: str) -> None:
    """Raise an ExportError when one of these Python packages cannot be imported."""
    for name in packages:
        try:
            import_module(name)
        except ImportError as error:
            package = name.partition(".")[0]
            raise ExportError(f"export needs the Python package {package} ({error}): pip install {package}") from None
