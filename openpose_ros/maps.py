"""Heatmaps and PAFs -> files: PNG and OpenPose's float format on the network's input, NumPy's on its cells."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from array_api_compat import is_numpy_array, to_device

from openpose_ros.average import seen_on
from openpose_ros.fields import Array, Fields

Floats = npt.NDArray[np.float32]


def on_host(fields: Fields) -> Fields:
    """The same fields as NumPy arrays."""
    return replace(fields, heatmaps=_host(fields.heatmaps), pafs=_host(fields.pafs))


def maps_file(fields: Fields, image: int, kinds: Sequence[str], form: str, numbers: str) -> bytes:
    """The maps of one image of a batch, as a file.

    Args:
        fields: of the batch; in NumPy.
        image: which image.
        kinds: some of ``parts``, ``background`` and ``pafs``, in this order.
        form: ``png``: the maps side by side, C * W pixels wide; ``float``: three, C, H, W and all numbers as float32,
            which ``numpy.fromfile`` reads; ``npz``: see :func:`_archive`.
        numbers: ``raw``, ``bytes``, ``unit``, ``signed``, or ``auto``: bytes in a PNG, else raw.

    Raises:
        ValueError: the background is asked for, and the network has none.
    """
    if "background" in kinds and fields.heatmaps.shape[1] == len(fields.skeleton.joints):
        raise ValueError(f"a network for {fields.skeleton.name} without a background map was asked to write one")
    if numbers == "auto":
        numbers = "bytes" if form == "png" else "raw"
    if form == "npz":
        return _archive(fields, image, kinds, numbers)
    grid = fields.grids[image]
    pixels = grid.of_input_pixels()
    chosen = _chosen(fields, image, kinds)
    large = np.concatenate([counted(seen_on(maps, grid, pixels), kind, numbers) for kind, maps in chosen])
    if form == "float":
        header = np.array([large.ndim, *large.shape], np.float32)
        return header.tobytes() + np.ascontiguousarray(large, np.float32).tobytes()
    side_by_side = large.astype(np.uint8).transpose(1, 0, 2).reshape(large.shape[1], -1)
    good, data = cv2.imencode(".png", side_by_side)
    if not good:
        raise ValueError(f"maps of {side_by_side.shape} pixels cannot be encoded as PNG")
    return data.tobytes()


def counted(maps: Floats, kind: str, numbers: str) -> Floats:
    """Numbers of maps: ``raw`` leaves them, ``unit`` is 0 to 1, ``signed`` -1 to 1, ``bytes`` 0 to 255.

    Heat is cut to 0 to 1 and PAFs to -1 to 1 before; a PAF of 0 is 0.5 of ``unit`` and 128 of ``bytes``.
    """
    if numbers == "raw":
        return maps
    cut = np.clip(maps, -1.0 if kind == "pafs" else 0.0, 1.0)
    if kind == "pafs":
        every = {"signed": cut, "unit": cut * 0.5 + 0.5, "bytes": np.rint(cut * 127.0 + 128.0)}
    else:
        every = {"signed": cut * 2.0 - 1.0, "unit": cut, "bytes": np.rint(cut * 255.0)}
    return np.asarray(every[numbers], np.float32)


def _chosen(fields: Fields, image: int, kinds: Sequence[str]) -> list[tuple[str, Floats]]:
    joints = len(fields.skeleton.joints)
    heat, pafs = fields.heatmaps[image], fields.pafs[image]
    every = {"parts": heat[:joints], "background": heat[joints:], "pafs": pafs.reshape(-1, *pafs.shape[2:])}
    return [(kind, every[kind]) for kind in kinds]


def _archive(fields: Fields, image: int, kinds: Sequence[str], numbers: str) -> bytes:
    """NumPy's archive: ``parts`` (J, h, w), ``background`` (1, h, w) and ``pafs`` (2 L, h, w) on the network's cells,
    the names of ``joints`` and ``limbs`` (L, 2), ``to_image`` (scale x, scale y, shift x, shift y: pixel of the image =
    cell * scale + shift), and how many cells PAFs and summits are off (``paf_offset``, ``heat_offset``)."""
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        **{kind: counted(maps, kind, numbers) for kind, maps in _chosen(fields, image, kinds)},  # type: ignore[arg-type]
        joints=np.array(fields.skeleton.joints),
        limbs=np.array(fields.skeleton.limbs),
        to_image=np.array(fields.grids[image].affine_to_image),
        paf_offset=np.array(fields.paf_offset),
        heat_offset=np.array(fields.heat_offset),
    )
    return stream.getvalue()


def _host(array: Array) -> Floats:
    return np.asarray(array if is_numpy_array(array) else to_device(array, "cpu"), np.float32)
