"""The facade: any image in, its people out in its own pixels; one batch in the network while another is assembled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from openpose_ros.backends import BackendError, SyntheticBackend, synthetic_card
from openpose_ros.backends.synthetic import group
from openpose_ros.card import Card, CardError
from openpose_ros.decode import evidence
from openpose_ros.estimator import Estimator
from openpose_ros.fields import Fields
from openpose_ros.options import DecodeOptions, InputOptions
from openpose_ros.people import People
from openpose_ros.prediction import people_in
from openpose_ros.preprocess import Batch
from openpose_ros.render import render
from openpose_ros.skeleton import COCO_18

Image = npt.NDArray[np.uint8]
Places = npt.NDArray[np.float64]
Check = Callable[[People, Places, float], None]

STAGES = {"preprocess", "network", "peaks", "limbs", "assemble"}


def picture(height: int = 480, width: int = 640) -> Image:
    return np.full((height, width, 3), 90, np.uint8)


@dataclass(frozen=True)
class Shown:
    """A frame of a source."""

    name: str
    image: Image


class Watched(SyntheticBackend):
    """The synthetic backend, telling when it is called, and doing what it is told before it answers."""

    def __init__(self, before: Callable[[int], None] = lambda call: None) -> None:
        super().__init__(synthetic_card())
        self.before = before
        self.began = [threading.Event() for _ in range(8)]
        self.threads: set[int] = set()
        self.closed = 0

    def __call__(self, batch: Batch) -> Fields:
        call = sum(event.is_set() for event in self.began)
        self.began[call].set()
        self.threads.add(threading.get_ident())
        self.before(call)
        return super().__call__(batch)

    def close(self) -> None:
        self.closed += 1


class Seeing(SyntheticBackend):
    """Answers with people as a network of these offsets would that sees whether the picture is mirrored: a source
    image is lit on its left half."""

    def __init__(self, people: Places, paf_offset: float, heat_offset: tuple[float, float]) -> None:
        super().__init__(replace(synthetic_card(), paf_offset=paf_offset, heat_offset=heat_offset))
        self.shown = people

    def __call__(self, batch: Batch) -> Fields:
        answers = []
        for image, grid in zip(batch.images, batch.grids, strict=True):
            half = image[: grid.resized_height, : grid.resized_width].reshape(grid.resized_height, -1)
            left, right = np.array_split(half, 2, axis=1)
            people = self.shown
            if left.mean() < right.mean():
                people = people[:, list(COCO_18.mirrored)] * (-1, 1) + (grid.image_width - 1, 0)
            shifted = grid.to_image(grid.to_cells(people) + self.card.heat_offset)
            answers.append(render(shifted, grid, COCO_18, paf_offset=self.card.paf_offset))
        return Fields(
            np.concatenate([fields.heatmaps for fields in answers]),
            np.concatenate([fields.pafs for fields in answers]),
            batch.grids,
            COCO_18,
            self.card.paf_offset,
            self.card.heat_offset,
        )


@pytest.fixture
def synthetic() -> Estimator:
    return Estimator(SyntheticBackend(synthetic_card()))


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (1080, 1920), (100, 130), (375, 500), (2000, 3000)])
@pytest.mark.parametrize("input_size", ["368", "256x456", "456x256", "550"])
def test_people_come_in_pixels_of_their_image(
    synthetic: Estimator, same_people: Check, size: tuple[int, int], input_size: str
) -> None:
    synthetic.inputs = InputOptions(input_size=input_size)
    truth = group(*size, COCO_18)
    found = synthetic(picture(*size))
    scale = max(size) / (min(size) if "x" in input_size else 456)
    assert found.image_size == size
    if input_size in ("368", "550"):
        same_people(found, truth, max(0.5, 0.15 * min(size) / int(input_size)))
    else:  # too coarse for every ear, but everybody is there
        assert len(found) == 3
        necks = np.sort(found.xy[:, 1, 0])
        np.testing.assert_allclose(necks, np.sort(truth[:, 1, 0]), atol=0.5 * scale)


@pytest.mark.parametrize("inputs", [
    InputOptions(flip=True),
    InputOptions(scales="1,1.5"),
    InputOptions(scales="1.5,1"),
    InputOptions(scales="1,0.75", flip=True),
    InputOptions(input_size="440x600", flip=True),
    InputOptions(input_size="448", max_long_side=600, flip=True, scales="1,1.25"),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("size", [(480, 640), (481, 653)])
def test_several_looks_agree_with_a_single_one(same_people: Check, size: tuple[int, int], inputs: InputOptions) -> None:
    truth = group(*size, COCO_18)
    image = picture(*size)
    image[:, size[1] // 2 :] = 10
    estimator = Estimator(Seeing(truth, 0.33, (0.1, -0.05)), inputs)
    same_people(estimator(image), truth, 0.4)


def test_images_of_a_batch_may_have_any_sizes(synthetic: Estimator, same_people: Check) -> None:
    sizes = [(480, 640), (640, 480), (300, 900)]
    synthetic.inputs = InputOptions(input_size="480")
    for size, found in zip(sizes, synthetic.submit([picture(*size) for size in sizes]).result(), strict=True):
        assert found.image_size == size
        same_people(found, group(*size, COCO_18), 0.5)


def test_an_empty_batch_is_refused(synthetic: Estimator) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        synthetic.submit([])


@pytest.mark.parametrize("size", [(3888, 5184), (1, 1), (1, 3000), (3000, 1), (7, 9)])
def test_images_of_any_size_are_processed(size: tuple[int, int]) -> None:
    nobody = Estimator(SyntheticBackend(synthetic_card(), np.empty((0, 18, 2))))
    found = nobody(picture(*size))
    assert len(found) == 0
    assert found.image_size == size


def test_twenty_megapixels_show_their_people(synthetic: Estimator, same_people: Check) -> None:
    same_people(synthetic(picture(3888, 5184)), group(3888, 5184, COCO_18), 1.5)


@pytest.mark.shared
def test_a_real_network_sees_nobody_in_a_single_pixel(shared: Path, zoo_card: object) -> None:
    estimator = Estimator.load(zoo_card.path)  # type: ignore[attr-defined]
    try:
        for value in (0, 128, 255):
            assert len(estimator(np.full((1, 1, 3), value, np.uint8))) == 0
    finally:
        estimator.close()


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (np.zeros((4, 4, 3), np.float32), r"uint8 .* got float32 of shape \(4, 4, 3\)"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\)"),
        (np.zeros((4, 0, 3), np.uint8), "no pixels"),
        ("photo.jpg", "str"),
    ],
    ids=["float", "grey", "empty", "a name"],
)
def test_what_is_no_image_is_refused_before_anything_starts(image: object, told: str) -> None:
    backend = Watched()
    estimator = Estimator(backend)
    with pytest.raises(ValueError, match=told):
        estimator.submit([picture(), image])  # type: ignore[list-item]
    estimator.close()
    assert not backend.threads


def test_the_next_batch_is_in_the_network_while_this_one_is_assembled() -> None:
    backend = Watched()
    estimator = Estimator(backend)
    overlapped = []

    def slow(people: People) -> npt.NDArray[np.float32]:
        overlapped.append(backend.began[1].wait(30))
        return evidence(people)

    estimator.person_score = slow
    first = estimator.submit([picture()])
    backend.began[0].wait(30)
    second = threading.Timer(0.0, lambda: jobs.append(estimator.submit([picture()])))
    jobs: list[object] = []
    second.start()
    assert len(first.result()[0]) == 3
    second.join()
    assert overlapped == [True]
    assert len(jobs) == 1


def test_submitting_does_not_wait_for_the_network() -> None:
    free = threading.Event()
    estimator = Estimator(Watched(lambda call: assert_true(free.wait(30))))
    jobs = [estimator.submit([picture()]) for _ in range(3)]
    assert not free.is_set()
    free.set()
    assert [len(job.result()[0]) for job in jobs] == [3, 3, 3]


def assert_true(value: bool) -> None:
    assert value


def test_the_network_runs_in_one_thread_that_is_not_the_caller_s() -> None:
    backend = Watched()
    estimator = Estimator(backend)
    for job in [estimator.submit([picture(64, 64)]) for _ in range(4)]:
        job.result()
    assert len(backend.threads) == 1
    assert threading.get_ident() not in backend.threads


def test_a_backend_that_works_on_two_images_at_once_gets_two() -> None:
    both = threading.Barrier(2)
    backend = Watched(lambda call: [both.wait(10.0)].clear())  # alone it would wait in vain
    backend.at_once = 2  # type: ignore[attr-defined]
    estimator = Estimator(backend)
    sizes = [(480, 640), (96, 64), (48, 64), (64, 32)]
    names = [str(size) for size in sizes]
    frames = [Shown(name, picture(*size)) for name, size in zip(names, sizes, strict=True)]
    found = list(people_in(estimator, frames))
    estimator.close()
    assert len(backend.threads) == 2
    assert [frame.name for frame, _, _ in found] == names
    assert [people.image_size for _, people, _ in found] == sizes


def test_results_may_be_asked_for_in_any_order_and_twice(same_people: Check) -> None:
    estimator = Estimator(SyntheticBackend(synthetic_card()), InputOptions(input_size="480"))
    small, large = estimator.submit([picture(480, 640)]), estimator.submit([picture(960, 1280)])
    same_people(large.result()[0], group(960, 1280, COCO_18), 0.5)
    for _ in range(2):
        same_people(small.result()[0], group(480, 640, COCO_18), 0.5)


def test_one_batch_that_fails_does_not_harm_the_next() -> None:
    def fail(call: int) -> None:
        if call == 1:
            raise RuntimeError("out of memory, say")

    estimator = Estimator(Watched(fail))
    jobs = [estimator.submit([picture()]) for _ in range(3)]
    assert len(jobs[0].result()[0]) == 3
    with pytest.raises(RuntimeError, match="out of memory, say"):
        jobs[1].result()
    assert len(jobs[2].result()[0]) == 3
    assert len(estimator(picture())) == 3


def test_a_result_is_not_waited_for_longer_than_asked() -> None:
    free = threading.Event()
    estimator = Estimator(Watched(lambda call: assert_true(free.wait(30))))
    job = estimator.submit([picture()])
    with pytest.raises(TimeoutError):
        job.result(timeout=0.01)
    free.set()
    assert len(job.result(timeout=30)[0]) == 3


def test_options_replaced_between_frames_count_from_the_next_frame_on() -> None:
    free = threading.Event()
    estimator = Estimator(Watched(lambda call: assert_true(free.wait(30))))
    before = estimator.submit([picture()])
    estimator.decode = DecodeOptions(max_people=1)
    estimator.inputs = InputOptions(input_size="64")
    after = estimator.submit([picture()])
    estimator.decode = DecodeOptions(min_person_score=1.0)
    nobody = estimator.submit([picture()])
    free.set()
    assert [len(job.result()[0]) for job in (before, after, nobody)] == [3, 1, 0]


def test_the_input_options_decide_what_the_network_sees() -> None:
    seen: list[tuple[int, ...]] = []

    class Measured(SyntheticBackend):
        def __call__(self, batch: Batch) -> Fields:
            seen.append(batch.images.shape)
            return super().__call__(batch)

    estimator = Estimator(Measured(synthetic_card()))
    for inputs in (InputOptions(), InputOptions(input_size="256x456"), InputOptions(scales="1,0.5", flip=True)):
        estimator.inputs = inputs
        estimator(picture())
    assert seen[:2] == [(1, 368, 496, 3), (1, 256, 456, 3)]
    assert seen[2:] == [(2, 368, 496, 3), (2, 184, 248, 3)]


def test_where_batches_are_limited_the_mirrored_look_comes_after_the_other(same_people: Check) -> None:
    seen: list[tuple[int, ...]] = []

    class OneByOne(Seeing):
        def takes(self, shape: tuple[int, int, int]) -> bool:
            return shape[0] == 1

        def __call__(self, batch: Batch) -> Fields:
            seen.append(batch.images.shape)
            return super().__call__(batch)

    truth = group(480, 640, COCO_18)
    image = picture()
    image[:, 320:] = 10
    inputs = InputOptions(flip=True, scales="1,1.25")
    alone = Estimator(OneByOne(truth, 0.33, (0.1, -0.05)), inputs)(image)
    assert seen == [(1, 368, 496, 3)] * 2 + [(1, 464, 616, 3)] * 2
    together = Estimator(Seeing(truth, 0.33, (0.1, -0.05)), inputs)(image)
    np.testing.assert_array_equal(alone.xy, together.xy)
    same_people(alone, truth, 0.4)


def test_what_people_were_made_of_is_there_after_the_result(synthetic: Estimator) -> None:
    job = synthetic.submit([picture()])
    assert job.found is None
    (people,) = job.result()
    assert job.found is not None
    heat = job.found.peaks.score[job.found.peaks.joint == 0]
    assert len(heat) == len(people)
    assert len(job.found.fields) == 1


@pytest.mark.parametrize("inputs", [InputOptions(), InputOptions(scales="1,1.5", flip=True)], ids=["one", "four looks"])
def test_every_stage_is_timed(synthetic: Estimator, inputs: InputOptions) -> None:
    synthetic.inputs = inputs
    job = synthetic.submit([picture()])
    job.result()
    assert set(job.milliseconds) == STAGES
    assert all(value > 0 for value in job.milliseconds.values())


def test_fields_are_those_that_the_people_are_decoded_from(synthetic: Estimator) -> None:
    fields = synthetic.fields([picture(), picture(300, 400)])
    assert len(fields) == 2
    assert fields.heatmaps.shape[1] == 19
    other = synthetic.fields([picture()], InputOptions(input_size="256x456"))
    assert other.heatmaps.shape[2:] == (32, 57)


def test_closing_waits_gives_the_backend_back_and_may_be_repeated() -> None:
    backend = Watched()
    estimator = Estimator(backend)
    job = estimator.submit([picture()])
    backend.began[0].wait(30)
    estimator.close()
    assert len(job.result()[0]) == 3
    assert backend.closed == 1
    estimator.close()
    with pytest.raises(RuntimeError):
        estimator.submit([picture()])


def test_nothing_is_held_once_closed() -> None:
    before = set(threading.enumerate())
    estimators = [Estimator(SyntheticBackend(synthetic_card())) for _ in range(5)]
    for estimator in estimators:
        estimator(picture(64, 64))
        estimator.close()
    assert set(threading.enumerate()) <= before  # others may have ended meanwhile


def test_the_synthetic_backend_needs_no_model(same_people: Check) -> None:
    estimator = Estimator.load("", backend="synthetic", inputs=InputOptions(input_size="480"))
    assert estimator.skeleton is COCO_18
    assert estimator.card.name == "synthetic"
    same_people(estimator(picture()), group(480, 640, COCO_18), 0.5)
    estimator.close()


def test_the_synthetic_backend_shows_people_of_a_given_card_s_skeleton(tmp_path: Path) -> None:
    path = tmp_path / "fifteen.yaml"
    path.write_text("{name: fifteen, network: {type: synthetic}, skeleton: MPI-15, stride: 4}")
    estimator = Estimator.load(path, backend="synthetic")
    assert estimator(picture()).skeleton.name == "MPI-15"
    estimator.close()


@pytest.mark.parametrize(
    ("model", "backend", "error", "told"),
    [
        ("no-such-model", "auto", CardError, "no model 'no-such-model'"),
        ("nowhere/card.yaml", "torch", CardError, "no model card at nowhere/card.yaml"),
        ("", "caffe", ValueError, "backend is 'caffe'; expected one of auto, "),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_a_sentence(
    model: str, backend: str, error: type[ValueError], told: str
) -> None:
    with pytest.raises(error, match=told) as caught:
        Estimator.load(model, backend=backend)
    assert "\n" not in str(caught.value)


def test_without_a_name_the_best_network_there_is_runs(random_card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openpose_ros.estimator.default_model", lambda: random_card.path)
    estimator = Estimator.load(backend="torch", precision="float32")
    assert estimator.card == random_card
    estimator.close()


def test_a_device_that_is_not_there_is_refused(random_card: object) -> None:
    with pytest.raises(BackendError):
        Estimator.load(random_card.path, device="cuda:77")  # type: ignore[attr-defined]


def test_a_person_score_that_is_missing_stops_the_start() -> None:
    card = replace(synthetic_card(), person_score=Path("nowhere.safetensors"))
    with pytest.raises(CardError, match="nowhere.safetensors"):
        Estimator(SyntheticBackend(card))


def test_completion_is_an_option_of_the_estimator() -> None:
    truth = group(480, 640, COCO_18)
    truth[:, COCO_18.joint("left_wrist")] = np.nan
    backend = SyntheticBackend(synthetic_card(), truth)
    assert not Estimator(backend)(picture()).known.all()
    assert Estimator(backend, decode=DecodeOptions(complete=True))(picture()).known.all()
