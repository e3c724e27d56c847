"""The same crops, whatever the number of processes, and after every interruption."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from openpose_ros.card import Card
from openpose_ros.training.batch import Batch, join
from openpose_ros.training.config import ConfigError, RunConfig, SourceConfig
from openpose_ros.training.data import Batches, Crops, TrainingLoader, loader

Run = Callable[..., RunConfig]


def same(one: Batch, other: Batch) -> bool:
    return (
        one.keys == other.keys
        and one.photos == other.photos
        and torch.equal(one.images, other.images)
        and torch.equal(one.joints.nan_to_num(-1.0), other.joints.nan_to_num(-1.0))
        and torch.equal(one.mask, other.mask)
        and torch.equal(one.labelled, other.labelled)
        and torch.equal(one.seeds, other.seeds)
    )


def first(config: RunConfig, card: Card, count: int, start: int = 0, **more: int) -> list[Batch]:
    return list(itertools.islice(loader(config, card, position=lambda: start, **more), count))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_loader_processes_yields_the_same_batches(run: Run, card: Card, workers: int) -> None:
    config = run()
    alone = first(config, card, 7)
    config.data.workers = workers
    assert all(map(same, alone, first(config, card, 7)))


@pytest.mark.parametrize("context", ["spawn", "fork"])
def test_processes_may_be_forked_or_spawned(run: Run, card: Card, context: str) -> None:
    config = run()
    batches = Batches(Crops(config, card), config.batch)
    found = list(itertools.islice(TrainingLoader(batches, workers=1, context=context), 2))
    assert all(map(same, first(config, card, 2), found))


def test_two_training_processes_see_what_one_with_the_whole_batch_sees(run: Run, card: Card) -> None:
    config = run()
    alone = first(config, card, 5)
    ranks = [first(config, card, 5, rank=rank, world=2) for rank in range(2)]
    for whole, *parts in zip(alone, *ranks, strict=True):
        assert same(whole, join(parts))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("start", [1, 4])
def test_going_on_yields_what_would_have_come(run: Run, card: Card, workers: int, start: int) -> None:
    config = run()
    config.data.workers = workers
    assert all(map(same, first(config, card, 6)[start:], first(config, card, 6 - start, start)))


def test_every_iteration_asks_where_to_begin(run: Run, card: Card) -> None:
    place = [0]
    crops = loader(run(), card, position=lambda: place[0])
    three = list(itertools.islice(crops, 3))
    place[0] = 2
    assert same(next(iter(crops)), three[2])


def test_beginning_to_load_draws_nothing_from_the_training_s_generator(run: Run, card: Card) -> None:
    before = torch.get_rng_state()
    config = run()
    config.data.workers = 1
    first(config, card, 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_shows_every_person_once_and_another_epoch_in_another_order(run: Run, card: Card) -> None:
    crops = Crops(run(9), card)
    count = crops.reports[0].crops
    epochs = [[crops.at(k).key for k in range(e * count, (e + 1) * count)] for e in range(2)]
    people = [[key.rpartition(".")[0] for key in epoch] for epoch in epochs]
    assert len(set(people[0])) == count
    assert set(people[0]) == set(people[1])
    assert people[0] != people[1]


def test_views_come_again_and_again_with_the_same_key_and_pixels(run: Run, card: Card) -> None:
    crops = Crops(run(3, views=2), card)
    count = crops.reports[0].crops
    found: dict[str, Batch] = {}
    for position in range(6 * count):
        batch = crops.batch([position])
        earlier = found.setdefault(batch.keys[0], batch)
        assert torch.equal(earlier.images, batch.images)
    assert len(found) == 2 * count
    pixels = {batch.images.numpy().tobytes() for batch in found.values()}
    assert len(pixels) == 2 * count


def test_without_views_every_crop_is_new_and_so_is_its_seed(run: Run, card: Card) -> None:
    batch = Crops(run(3), card).batch(range(40))
    assert len(set(batch.keys)) == len(set(batch.seeds.tolist())) == 40
    assert len({image.numpy().tobytes() for image in batch.images}) == 40


def test_weights_share_the_crops_out(run: Run, card: Card, coco: Callable[..., SourceConfig], tmp_path: Path) -> None:
    config = run(6, ending=".jpg")
    config.data.sources.append(
        SourceConfig(type="photos", images=config.data.sources[0].images, name="plain", weight=3.0)
    )
    crops = Crops(config, card)
    batch = crops.batch(range(200))
    plain = [photo.startswith("plain/") for photo in batch.photos]
    assert 0.65 < sum(plain) / 200 < 0.85
    assert not batch.labelled[torch.tensor(plain)].any()
    assert batch.labelled[~torch.tensor(plain)].all()


def test_a_far_position_costs_no_more_than_an_early_one(run: Run, card: Card) -> None:
    config = run()
    config.data.sources.append(SourceConfig(type="photos", images=config.data.sources[0].images, name="plain"))
    asked = []
    crops = Crops(config, card)
    original = crops.mix._pattern
    crops.mix._pattern = lambda block: asked.append(block) or original(block)  # type: ignore[method-assign, func-returns-value]
    crops.batch(range(10**8, 10**8 + 4))
    assert len(asked) == 4


def test_an_unreadable_photo_is_named_once_and_the_next_takes_its_place(
    run: Run, card: Card, caplog: pytest.LogCaptureFixture
) -> None:
    config = run(5)
    crops = Crops(config, card)
    files = sorted(Path(config.data.sources[0].images).iterdir())
    files[1].write_bytes(b"no photo")
    files[3].unlink()
    with caplog.at_level(logging.WARNING):
        batch = crops.batch(range(40))
    assert not {"photos/000002.png", "photos/000004.png"} & set(batch.photos)
    assert len(caplog.messages) == 2
    assert any("000002.png: photo unreadable" in message for message in caplog.messages)
    assert any("000004.png: photo missing" in message for message in caplog.messages)
    assert crops.unreadable() == {"photos": 2}


def test_the_replacement_does_not_depend_on_who_found_out(run: Run, card: Card) -> None:
    config = run(5)
    crops = Crops(config, card)
    sorted(Path(config.data.sources[0].images).iterdir())[1].write_bytes(b"no photo")
    alone = Crops(config, card)
    found = list(itertools.islice(TrainingLoader(Batches(crops, 4), workers=2), 6))
    assert all(same(batch, alone.batch(range(4 * b, 4 * b + 4))) for b, batch in enumerate(found))
    assert crops.unreadable() == {"photos": 1}


def test_a_folder_that_went_away_ends_the_run_with_a_sentence(run: Run, card: Card) -> None:
    config = run(3)
    crops = Crops(config, card)
    for file in Path(config.data.sources[0].images).iterdir():
        file.unlink()
    with pytest.raises(ConfigError, match="source photos: .* photos in a row cannot be read"):
        crops.batch([0])


def test_overfit_shows_the_first_photos_without_augmentation(run: Run, card: Card) -> None:
    config = run(6)
    config.overfit = 2
    found = loader(config, card)
    two = found.crops.batch(range(12))
    assert set(two.photos) == {"photos/000001.png", "photos/000002.png"}
    by_person: dict[str, set[bytes]] = {}
    for key, image in zip(two.keys, two.images, strict=True):
        by_person.setdefault(key.rpartition(".")[0], set()).add(image.numpy().tobytes())
    assert all(len(pixels) == 1 for pixels in by_person.values())


def test_channels_come_in_the_order_of_the_card(run: Run, card: Card) -> None:
    from dataclasses import replace

    config = run(2)
    bgr = Crops(config, card).batch([0]).images
    rgb = Crops(config, replace(card, channels="RGB")).batch([0]).images
    assert torch.equal(bgr.flip(1), rgb)


def test_a_batch_that_cannot_be_shared_out_is_refused(run: Run, card: Card) -> None:
    with pytest.raises(ConfigError, match="batch is 4; expected a multiple of the 3"):
        loader(run(), card, world=3)


def test_pasted_people_come_the_same_way_every_time(run: Run, card: Card) -> None:
    config = run(4, occlusion=1.0)
    assert same(Crops(config, card).batch(range(8)), Crops(config, card).batch(range(8)))
