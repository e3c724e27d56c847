"""Weights: readers of foreign files, the names they use, our own files, and where models lie."""

from __future__ import annotations


class WeightsError(ValueError):
    """A foreign weight file that cannot be read or is not what was expected; the text says what and where."""
