"""A sheet of crops with what a network shall answer drawn over them, for people to look at."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import torch

from openpose_ros.card import Card
from openpose_ros.draw import draw
from openpose_ros.options import DrawOptions
from openpose_ros.people import People
from openpose_ros.preprocess import Image
from openpose_ros.skeleton import Skeleton
from openpose_ros.training.batch import Batch
from openpose_ros.training.config import RunConfig
from openpose_ros.training.data.loader import loader
from openpose_ros.training.data.report import Report
from openpose_ros.training.photometric import Photometric
from openpose_ros.training.targets import Rendered, Targets

Floats = npt.NDArray[np.float32]

GAP, CAPTION, COLUMNS = 6, 22, 3
PAPER, INK = (250, 250, 250), (60, 60, 60)
HATCH = 10
"""Pixels between two strokes over what carries no loss."""


def look(config: RunConfig, number: int = 0) -> tuple[Image, list[Report]]:
    """The sheet of a run's batch of that number, photometric changes included, and what its sources offer.

    Raises:
        ConfigError, CardError: the configuration or its card cannot be used.
    """
    card = Card.load(config.card)
    crops = loader(config, card, position=lambda: number)
    batch = next(iter(crops))
    targets = Targets(
        card.skeleton, card.stride, config.targets, paf_offset=card.paf_offset, heat_offset=card.heat_offset
    )(batch)
    if not config.overfit:
        lit = Photometric(config.photometric, card.channels)(batch.images, batch.seeds)
        batch = replace(batch, images=lit.round().to(torch.uint8))
    return sheet(batch, targets, card.skeleton, rgb=card.channels == "RGB"), crops.crops.reports


def sheet(batch: Batch, targets: Rendered, skeleton: Skeleton, *, rgb: bool = False) -> Image:
    """(H, W, 3) uint8 BGR: of each crop its people, its heatmaps and its PAFs, with a caption.

    Args:
        batch: the crops, on the CPU.
        targets: drawn for this batch.
        skeleton: of the network.
        rgb: whether the crops' channels are in this order.
    """
    tiles = []
    for index in range(len(batch)):
        image = batch.images[index].permute(1, 2, 0).numpy()
        image = np.ascontiguousarray(image[..., ::-1] if rgb else image)
        joints = batch.joints[index].numpy()
        heat, paf, heat_weight, paf_weight = (fields[index].cpu().numpy() for fields in vars(targets).values())
        tiles.append(
            _tile(
                [
                    hatched(with_people(image, joints, skeleton), batch.mask[index].numpy()),
                    hatched(with_heat(image, heat[:-1]), heat_weight.max(0)),
                    hatched(with_pafs(image, paf), paf_weight.max(0)),
                ],
                _caption(batch, index),
            )
        )
    columns = 1 if len(tiles) <= 3 else 2
    rows = math.ceil(len(tiles) / columns)
    height, width = tiles[0].shape[:2]
    page = np.full((rows * height + GAP, columns * (width + 2 * GAP), 3), PAPER, np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * height, place % columns * (width + 2 * GAP) + GAP
        page[top : top + height, left : left + width] = tile
    return page


def with_people(image: Image, joints: Floats, skeleton: Skeleton) -> Image:
    """The crop with its (P, J, 2) labelled people."""
    known = np.asarray(np.isfinite(joints).all(-1))
    shown = np.compress(known.any(1), joints, axis=0)
    people = People.from_arrays(skeleton, shown, (image.shape[0], image.shape[1]))
    return draw(image, people, DrawOptions(labels=False))


def with_heat(image: Image, heat: Floats) -> Image:
    """The crop in grey under its (J, h, w) heatmaps, each joint in a colour of its own, cells as they are."""
    hues = np.arange(len(heat)) * (180.0 / len(heat))
    wheel = np.stack([hues, np.full(len(heat), 255.0), np.full(len(heat), 255.0)], -1).astype(np.uint8)
    colours = cv2.cvtColor(wheel[None], cv2.COLOR_HSV2BGR)[0].astype(np.float32)
    strongest = heat.argmax(0)
    return _over(image, colours[strongest], np.clip(heat.max(0), 0.0, 1.0))


def with_pafs(image: Image, pafs: Floats) -> Image:
    """The crop in grey under its (2 L, h, w) PAFs: the hue is the direction, arrows stand on every other cell."""
    cells = pafs.shape[1:]
    vectors = pafs.reshape(-1, 2, *cells)
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    limb = length.argmax(0)[None]
    x, y = (np.take_along_axis(vectors[:, axis], limb, 0)[0] for axis in range(2))
    strength = np.clip(length.max(0), 0.0, 1.0)
    hue = np.rint((np.degrees(np.arctan2(y, x)) % 360.0) / 2.0) % 180
    full = np.full_like(hue, 255)
    colours = cv2.cvtColor(np.stack([hue, full, full], -1).astype(np.uint8), cv2.COLOR_HSV2BGR).astype(np.float32)
    shown = _over(image, colours, 0.8 * strength)
    stride = image.shape[0] // cells[0]
    for row, column in np.argwhere(strength > 0.3):
        if (row + column) % 2 == 0:
            middle = (np.array([column, row]) + 0.5) * stride - 0.5
            reach = np.array([x[row, column], y[row, column]]) * 0.8 * stride
            ends = [tuple(np.rint(8 * end).astype(int).tolist()) for end in (middle - reach / 2, middle + reach / 2)]
            cv2.line(shown, ends[0], ends[1], (255, 255, 255), 1, cv2.LINE_AA, 3)
            cv2.circle(shown, ends[1], 10, (255, 255, 255), cv2.FILLED, cv2.LINE_AA, 3)
    return shown


def hatched(image: Image, mask: Floats) -> Image:
    """The crop with strokes where its cells (h, w), the share of each that counts, carry no loss."""
    height, width = image.shape[:2]
    off = cv2.resize(1.0 - mask, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    rows, columns = np.mgrid[:height, :width]
    strokes = ((rows + columns) % HATCH < 2)[..., None]
    dark = image * (1.0 - 0.45 * off)
    return np.where(strokes & (off > 0.5), 0.4 * dark + 0.6 * np.array([60, 60, 255]), dark).astype(np.uint8)


def _over(image: Image, colours: Floats, opacity: Floats) -> Image:
    """Cells' colours (h, w, 3) with their opacity (h, w) over a crop in grey."""
    height, width = image.shape[:2]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR) * 0.6
    paint = cv2.resize(colours, (width, height), interpolation=cv2.INTER_NEAREST)
    cover = cv2.resize(opacity, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    return np.asarray(grey * (1.0 - cover) + paint * cover).astype(np.uint8)


def _caption(batch: Batch, index: int) -> str:
    known = np.isfinite(batch.joints[index].numpy()).all(-1)
    people, joints = int(known.any(1).sum()), int(known.sum())
    if not bool(batch.labelled[index].any()):
        return f"{batch.keys[index]}   no labels"
    partly = "" if bool(batch.labelled[index].all()) else f", {int(batch.labelled[index].sum())} kinds labelled"
    share = float(batch.mask[index].mean())
    return f"{batch.keys[index]}   people {people}, joints {joints}{partly}, loss on {share:.0%}"


def _tile(pictures: list[Image], caption: str) -> Image:
    height, width = pictures[0].shape[:2]
    tile = np.full((height + CAPTION + GAP, len(pictures) * (width + GAP) - GAP, 3), PAPER, np.uint8)
    for place, picture in enumerate(pictures):
        tile[CAPTION : CAPTION + height, place * (width + GAP) : place * (width + GAP) + width] = picture
    cv2.putText(tile, caption, (1, CAPTION - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    return tile
