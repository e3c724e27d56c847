"""The decoder as callers see it: the device's half (peaks, limbs) and the host's half (assemble, place, score)."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from array_api_compat import is_numpy_array, to_device

from openpose_ros.decode import assemble as reference_assemble
from openpose_ros.decode import limbs as reference_limbs
from openpose_ros.decode import peaks as reference_peaks
from openpose_ros.decode.complete import complete
from openpose_ros.decode.limbs import Connections
from openpose_ros.decode.peaks import Peaks, find_peaks
from openpose_ros.decode.score import PersonScore, evidence
from openpose_ros.decode.stray import without_strays
from openpose_ros.device import Cuda, GpuError, gpu_index
from openpose_ros.fields import Fields
from openpose_ros.grid import Grid
from openpose_ros.options import DecodeOptions
from openpose_ros.people import JointState, People

if TYPE_CHECKING:
    from openpose_ros.decode.kernels import Kernels, Search

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What comes down from the device: a few kilobytes, NumPy.

    Attributes:
        peaks, connections: of the whole batch.
        fields: the fields they were found in, still where the network left them.
        milliseconds: wall time of the steps ``peaks`` and ``limbs``; of the kernels on a GPU also of the ``copy`` to
            the host and of the ``wait`` for what was queued before them.
    """

    peaks: Peaks
    connections: Connections
    fields: Fields
    milliseconds: dict[str, float] = field(default_factory=dict)


class Underway:
    """Candidates that a GPU is asked for and does not have yet."""

    def __init__(self, search: Search, fields: Fields) -> None:
        self._search, self._fields = search, fields

    def wait(self, timeout: float | None = None) -> None:
        """Return when they are on the host; a TimeoutError after so many seconds."""
        self._search.wait(timeout)

    def candidates(self) -> Candidates:
        """Wait for them. Once only."""
        peaks, connections, spent = self._search.result()
        return Candidates(peaks, connections, self._fields, spent)


def decode(fields: Fields, options: DecodeOptions, person_score: PersonScore = evidence) -> list[People]:
    """The people of every image of a batch, best first."""
    return people(candidates(fields, options), options, person_score)


def candidates(fields: Fields, options: DecodeOptions) -> Candidates:
    """Peaks and limbs, on the device that holds the fields; on an NVIDIA GPU by ``kernels.py`` where CuPy is."""
    found = begin(fields, options)
    return found.candidates() if isinstance(found, Underway) else found


def begin(fields: Fields, options: DecodeOptions) -> Candidates | Underway:
    """The same, without waiting where a GPU's kernels do it: they are queued behind what made the fields."""
    gpu = gpu_index(fields.heatmaps)
    kernels = None if gpu is None or not len(fields) else _kernels(gpu)
    return array_candidates(fields, options) if kernels is None else Underway(kernels.start(fields, options), fields)


def forget_memory(device: str) -> None:
    """Give back the memory that decoding on a device (``cpu``, ``cuda:N``) keeps from frame to frame."""
    if (kernels := _known_kernels(device)) is not None:
        kernels.forget()


def page_locked(device: str) -> int:
    """Bytes of the host that decoding on a device keeps for copies from it."""
    return 0 if (kernels := _known_kernels(device)) is None else kernels.page_locked


def array_candidates(fields: Fields, options: DecodeOptions) -> Candidates:
    """Peaks and limbs by array operations alone, and Numba's loop for NumPy: wherever the fields are."""
    began = time.perf_counter()
    loops = _loops() if is_numpy_array(fields.heatmaps) else _Reference
    peaks = find_peaks(
        fields.heatmaps, len(fields.skeleton.joints), options.heat_threshold, options.max_candidates, fields.grids,
        loops.summits,
    )  # fmt: skip
    found = time.perf_counter()
    connections = loops.score_limbs(fields.pafs, peaks, fields.skeleton, options, fields.paf_offset)
    down = Candidates(
        Peaks(*map(_host, (peaks.image, peaks.joint, peaks.x, peaks.y, peaks.score))),
        Connections(*map(_host, (connections.limb, connections.start, connections.end, connections.score))),
        fields,
        {"peaks": 1e3 * (found - began), "limbs": 1e3 * (time.perf_counter() - found)},
    )
    return down


def people(found: Candidates, options: DecodeOptions, person_score: PersonScore = evidence) -> list[People]:
    """Assemble the candidates of a batch into people in source pixels, one result an image, best person first."""
    peaks, fields = found.peaks, found.fields
    if options.complete:
        fields = replace(fields, heatmaps=_host(fields.heatmaps))
    groups = _loops().assemble(peaks, found.connections, fields.skeleton)
    groups = without_strays(groups, peaks, fields.skeleton)
    enough = (groups.members >= 0).sum(1) >= options.min_joints
    results = []
    for image, grid in enumerate(fields.grids):
        mine = np.flatnonzero((groups.image == image) & enough)
        here = _placed(groups.members[mine], groups.limbs[mine], peaks, fields, grid)
        here = replace(here, person_score=person_score(here))
        order = np.argsort(-here.person_score, kind="stable")
        order = order[here.person_score[order] >= options.min_person_score]
        if options.max_people:
            order = order[: options.max_people]
        here = _sure(here[order], options.min_joint_score)
        results.append(complete(here, fields, image) if options.complete else here)
    return results


def joint_candidates(found: Candidates, image: int = 0) -> list[Floats]:
    """All candidates for each of the J joints in one image of a batch, before anybody was made of them.

    Returns:
        J arrays (N, 3), perhaps empty: x, y in source pixels and heat in 0..1, the warmest first.
    """
    peaks, (across, down), grid = found.peaks, found.fields.heat_offset, found.fields.grids[image]
    every = []
    for joint in range(len(found.fields.skeleton.joints)):
        rows = np.flatnonzero((peaks.image == image) & (peaks.joint == joint))
        rows = rows[np.argsort(-peaks.score[rows], kind="stable")]
        xy = grid.to_image(np.stack([peaks.x[rows] - across, peaks.y[rows] - down], -1))
        every.append(np.concatenate([xy, np.clip(peaks.score[rows], 0.0, 1.0)[:, None]], -1).astype(np.float32))
    return every


def _sure(people: People, min_joint_score: float) -> People:
    """The same people without the joints of a lower score; a person may be left with none."""
    doubtful = people.known & (people.score < min_joint_score)
    if not doubtful.any():
        return people
    return replace(
        people,
        xy=np.where(doubtful[..., None], np.float32(np.nan), people.xy),
        score=np.where(doubtful, np.float32(0.0), people.score),
        state=np.where(doubtful, np.uint8(JointState.UNKNOWN), people.state),
    )


def _placed(members: Ints, limbs: Floats, peaks: Peaks, fields: Fields, grid: Grid) -> People:
    """People of one image from rows of Peaks, not scored yet."""
    known = members >= 0
    xy = np.full((*members.shape, 2), np.nan, np.float32)
    heat = np.zeros(members.shape, np.float32)
    rows = members[known]
    across, down = fields.heat_offset
    xy[known] = grid.to_image(np.stack([peaks.x[rows] - across, peaks.y[rows] - down], -1))
    heat[known] = np.clip(peaks.score[rows], 0.0, 1.0)
    return People(
        skeleton=fields.skeleton,
        xy=xy,
        score=heat,
        state=np.where(known, JointState.SEEN, JointState.UNKNOWN).astype(np.uint8),
        person_score=np.zeros(len(members), np.float32),
        image_size=(grid.image_height, grid.image_width),
        limb_score=limbs,
    )


@cache
def _loops() -> Any:
    """The compiled loops where Numba is installed, else the array form."""
    try:
        from openpose_ros.decode import compiled
    except ImportError:
        return _Reference
    return compiled


_compiled: dict[int, Kernels | None] = {}


def _kernels(gpu: int) -> Kernels | None:
    """The compiled kernels of a GPU; None, and said once, where the array form has to do."""
    from openpose_ros.decode.kernels import Kernels

    if gpu not in _compiled:
        try:
            _compiled[gpu] = Kernels(Cuda(gpu))
        except GpuError as error:
            _log.warning("peaks and limbs run as array operations on the GPU, slower than its kernels: %s", error)
            _compiled[gpu] = None
    return _compiled[gpu]


def _known_kernels(device: str) -> Kernels | None:
    """Those that were compiled already."""
    return _compiled.get(int(device.partition(":")[2] or 0)) if device.startswith("cuda") else None


class _Reference:
    summits = staticmethod(reference_peaks.summits)
    score_limbs = staticmethod(reference_limbs.score_limbs)
    assemble = staticmethod(reference_assemble.assemble)


def _host(array: Any) -> Any:
    return array if is_numpy_array(array) else np.asarray(to_device(array, "cpu"))
