"""Steps 1 and 2 on a GPU: the candidates of peaks.py and limbs.py in three launches and one copy to the host.

``kernels.cu`` is what runs there. Here stand its memory, its launches and how its answer is read. The host waits once,
for the copy. Before that it cannot know how many pairs and connections there are: where they do not fit, the GPU says
how many they are, and the same frame is launched again with room for them.

Memory, kept and used again from frame to frame, for each frame in flight: on the GPU 4 bytes for every four cells of a
heatmap, 4 for every pair of candidates at the joints of a limb (``PAIRS`` of them, more when a frame needs more, never
more than L * max_candidates ** 2 an image), and the result, on the host as well: 20 bytes for each of J *
max_candidates candidates an image and 16 for each connection (``CONNECTIONS``, more when a frame needs more).
For one image of 368x656 with the default options these are 2.2 MiB on the GPU and 1.1 MiB on the host.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from importlib.resources import files
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace

from openpose_ros.decode.limbs import DENSER, PROBE_MEAN, PROBES, Connections, needed
from openpose_ros.decode.peaks import Peaks
from openpose_ros.device import Bytes, Gpu, Memory
from openpose_ros.fields import Fields
from openpose_ros.options import DecodeOptions

_log = logging.getLogger(__name__)

NAMES = ("find_peaks", "score_limbs", "gather_limbs")

OPTIONS = ("--std=c++17", "--fmad=false")
"""Of NVRTC and nvcc. A product and a sum are rounded one by one, as NumPy does it."""

THREADS = 1024
"""A block of ``find_peaks``, which takes one heatmap; the largest there is."""

PAIR_THREADS = 256
"""A block of the other two, the largest for which they are made."""

BLOCKS_PER_PROCESSOR = 8
CHUNKS = 1024
"""Into how many parts the pairs are divided to be counted."""

HEADER = 32
PAIRS = 1 << 18
CONNECTIONS = 1 << 16
FIRST_COPY = 1 << 16
"""Bytes that are copied before anything is known; from then on a little more than the last frame needed."""

LOOK_AGAIN = 1e-3
"""Seconds between two looks at whether the GPU is done, for whoever does not wait for ever."""


def source() -> str:
    """kernels.cu with the numbers that are decided elsewhere, for any compiler."""
    decided = {
        "CHUNKS": CHUNKS,
        "PROBES": ", ".join(f"{part!r}f" for part in PROBES),
        "PROBE_SUM": f"{PROBE_MEAN * len(PROBES)!r}f",
    }
    lines = [f"#define {name} {value}" for name, value in decided.items()]
    return "\n".join([*lines, '#line 1 "kernels.cu"', (files("openpose_ros.decode") / "kernels.cu").read_text()])


class Kernels:
    """The compiled kernels of one GPU and their memory. May be used from several threads and on several streams.

    Attributes:
        relaunches: how many frames had to be launched again, because they held more than any before.
    """

    def __init__(self, gpu: Gpu, threads: int = THREADS, pair_threads: int = PAIR_THREADS) -> None:
        """Compile.

        Raises:
            GpuError: that is not possible here.
        """
        self.gpu = gpu
        self.threads, self.pair_threads = threads, pair_threads
        self.functions = gpu.compile(source(), NAMES, OPTIONS)
        self.idle: deque[Room] = deque()
        self.relaunches = 0
        self._rooms: WeakSet[Room] = WeakSet()
        self._aside: int | None = None

    @property
    def aside(self) -> int:
        """A stream for what is still to do when a frame was waited for. Its own may be busy with the next one by then,
        or be recorded for a CUDA graph."""
        if self._aside is None:
            self._aside = self.gpu.new_stream()
        return self._aside

    @property
    def page_locked(self) -> int:
        """Bytes of the host that the GPU writes to."""
        return sum(len(room.host) for room in list(self._rooms))

    def forget(self) -> None:
        """Give back the memory that belongs to no frame in flight."""
        self.idle.clear()
        self.gpu.give_back()

    def start(self, fields: Fields, options: DecodeOptions) -> Search:
        """Queue both steps and the copy behind what made the fields, and return at once; the result must be fetched.

        Args:
            fields: on this GPU; what is not contiguous or not float32 is copied there.
            options: as for the array form.
        """
        stream = self.gpu.stream_of(fields.heatmaps)
        with self.gpu.on(stream):
            try:
                room = self.idle.pop()
            except IndexError:
                room = Room(self.gpu)
                self._rooms.add(room)
            search = Search(self, fields, options, room)
            search.launch()
        return search


class Room:
    """The memory of one frame in flight. It grows, and never shrinks."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._memory = {"done": gpu.zeros(8)}
        self._constants: dict[str, Any] = {}
        self.host = gpu.pinned(FIRST_COPY)
        self.events = [gpu.event() for _ in range(4)]
        self.pairs = PAIRS
        self.connections = CONNECTIONS
        self.copied = FIRST_COPY

    def of(self, name: str, size: int) -> Memory:
        """The memory of that name, of at least so many bytes; new memory is zero."""
        there = self._memory.get(name)
        if there is None or there.size < size:
            self._memory.pop(name, None)  # two of them need not fit at once
            there = self._memory[name] = self._gpu.zeros(size)
        return there

    def constant(self, name: str, key: Any, values: npt.NDArray[Any]) -> int:
        """Pointer to values that are copied only when their key changes."""
        memory = self.of(name, max(values.nbytes, 8))
        if self._constants.get(name) != key:
            self._gpu.upload(memory, values)
            self._constants[name] = key
        return memory.pointer

    def result(self, size: int) -> Memory:
        """The result's memory, on the host as well."""
        memory = self.of("result", size)
        if len(self.host) < memory.size:
            self.host = self._gpu.pinned(memory.size)
        return memory


class Search:
    """A frame in flight."""

    def __init__(self, kernels: Kernels, fields: Fields, options: DecodeOptions, room: Room) -> None:
        self._kernels, self._room = kernels, room
        self._fields, self._options = fields, options
        self._heatmaps, self._pafs = _contiguous(fields.heatmaps), _contiguous(fields.pafs)
        self._began = time.perf_counter()

    def launch(self) -> None:
        """Queue everything, on the current stream."""
        room, fields, options, gpu = self._room, self._fields, self._options, self._kernels.gpu
        images, channels, height, width = fields.heatmaps.shape
        joints, limb_count = len(fields.skeleton.joints), len(fields.skeleton.limbs)
        planes, most = images * joints, ((height + 1) // 2) * ((width + 1) // 2)
        limit = min(options.max_candidates, most)
        result = self._result = room.result(HEADER + 20 * planes * limit + 16 * room.connections)
        bounds = room.constant("bounds", fields.grids, _bounds(fields))
        limbs = room.constant("limbs", fields.skeleton.limbs, np.array(fields.skeleton.limbs, np.int32))
        cells = room.of("cells", 4 * planes * most).pointer
        counts, done = room.of("counts", 4 * planes).pointer, room.of("done", 8).pointer
        first_row = room.of("first_row", 4 * (planes + 1)).pointer
        first_pair = room.of("first_pair", 8 * (images * limb_count + 1)).pointer
        scores = self._scores = room.of("scores", 4 * max(1, min(room.pairs, images * limb_count * limit**2)))
        supported, pairs = room.of("supported", 4 * CHUNKS).pointer, np.int64(scores.size // 4)
        many = DENSER * options.samples
        integer, real = np.int32, np.float32

        find_peaks, score_limbs, gather_limbs = self._kernels.functions
        began, found, scored, copied = room.events
        gpu.record(began)
        gpu.launch(find_peaks, planes, self._kernels.threads, (
            gpu.pointer(self._heatmaps), bounds, limbs, integer(images), integer(channels), integer(joints),
            integer(limb_count), integer(height), integer(width), real(options.heat_threshold), integer(limit),
            integer(most), cells, counts, done, first_row, first_pair, supported, result.pointer,
        ))  # fmt: skip
        gpu.record(found)
        gpu.launch(score_limbs, BLOCKS_PER_PROCESSOR * gpu.processors, self._kernels.pair_threads, (
            gpu.pointer(self._pafs), limbs, integer(images), integer(joints), integer(limb_count), integer(height),
            integer(width), real(fields.paf_offset), integer(options.samples),
            integer(needed(options.samples, options)), integer(many), integer(needed(many, options)),
            real(options.sample_threshold), first_row, first_pair, pairs,
            integer(self._kernels.pair_threads), scores.pointer, supported, result.pointer,
        ))  # fmt: skip
        gpu.launch(gather_limbs, CHUNKS, self._kernels.pair_threads, (
            limbs, integer(images), integer(joints), integer(limb_count), first_row, first_pair, pairs,
            scores.pointer, supported, np.int64(result.size), result.pointer,
        ))  # fmt: skip
        gpu.record(scored)
        room.copied = min(room.copied, result.size)
        gpu.download(room.host, result, 0, room.copied)
        gpu.record(copied)

    def wait(self, timeout: float | None = None) -> None:
        """Return when the GPU has done what was queued.

        Raises:
            TimeoutError: it has not within so many seconds.
        """
        gpu, done = self._kernels.gpu, self._room.events[3]
        if timeout is None:
            gpu.wait(done)
            return
        deadline = time.monotonic() + timeout
        while not gpu.happened(done):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"no answer from the GPU within {timeout} seconds")
            time.sleep(LOOK_AGAIN)

    def result(self) -> tuple[Peaks, Connections, dict[str, float]]:
        """Wait, and read the candidates. Once only: another frame uses the memory afterwards.

        Returns:
            Peaks and connections of NumPy, in the order of the array form, and milliseconds: ``peaks``, ``limbs`` and
            ``copy`` by the GPU's clock, ``wait`` what else passed, such as the network before them.
        """
        room, gpu = self._room, self._kernels.gpu
        self.wait()
        while True:
            peaks, pairs, connections, _ = room.host[:HEADER].view(np.int64).tolist()
            used = HEADER + 20 * peaks + 16 * connections
            if 4 * pairs > self._scores.size:
                room.pairs = _grown(pairs)
            elif used > self._result.size:
                room.connections = _grown(connections)
            else:
                break
            _log.info("room for %d pairs and %d connections on the GPU", room.pairs, room.connections)
            self._kernels.relaunches += 1
            with gpu.on(self._kernels.aside):
                self.launch()
            gpu.wait(room.events[3])
        if used > room.copied:
            with gpu.on(self._kernels.aside):
                gpu.download(room.host, self._result, room.copied, used)
                gpu.record(room.events[3])
            gpu.wait(room.events[3])
        found = _read(room.host, peaks, connections)
        spent = {
            name: gpu.milliseconds(*room.events[part : part + 2])
            for part, name in enumerate(("peaks", "limbs", "copy"))
        }
        room.copied = max(FIRST_COPY, used + used // 4)
        self._kernels.idle.append(room)
        spent["wait"] = max(0.0, 1e3 * (time.perf_counter() - self._began) - sum(spent.values()))
        return *found, spent


def _read(host: Bytes, peaks: int, connections: int) -> tuple[Peaks, Connections]:
    """Copies of the columns."""
    first, last = HEADER + 20 * peaks, HEADER + 20 * peaks + 16 * connections
    of_peaks = host[HEADER:first].view(np.int32).reshape(5, peaks)
    of_limbs = host[first:last].view(np.int32).reshape(4, connections)
    image, joint = of_peaks[:2].astype(np.int64)
    x, y, heat = of_peaks[2:].view(np.float32).copy()
    limb, start, end = of_limbs[:3].astype(np.int64)
    return Peaks(image, joint, x, y, heat), Connections(limb, start, end, of_limbs[3].view(np.float32).copy())


def _contiguous(array: Any) -> Any:
    xp = array_namespace(array)
    return xp.reshape(xp.astype(array, xp.float32, copy=False), (-1,))


def _bounds(fields: Fields) -> npt.NDArray[np.float32]:
    """(B, 4) first x and y, last x and y, in cells, of what shows a picture; without any padding there is no bound."""
    if any(grid.pad_left or grid.pad_top or grid.pad_right or grid.pad_bottom for grid in fields.grids):
        return np.array([grid.valid_cells for grid in fields.grids], np.float32)
    return np.array(len(fields.grids) * [(-np.inf, -np.inf, np.inf, np.inf)], np.float32)


def _grown(count: int) -> int:
    """Room for so many, and for some more, so that it need not grow often."""
    return 1 << (count - 1).bit_length()
