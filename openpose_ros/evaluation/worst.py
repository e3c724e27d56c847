"""A picture sheet of the photos that lose most, what is annotated beside what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.draw import draw
from openpose_ros.evaluation.coco import Photo, annotated_people
from openpose_ros.evaluation.reliability import Match, match
from openpose_ros.people import JointState, People
from openpose_ros.preprocess import Image

Colour = tuple[int, int, int]

PICTURE = (330, 440)
"""Height and width in pixels into which a photo is fitted."""

GAP, CAPTION, HEADER, COLUMNS = 18, 52, 84, 2

PAPER: Colour = (250, 250, 248)
INK: Colour = (40, 36, 34)
FAINT: Colour = (130, 124, 120)
SHADE: Colour = (226, 224, 222)
MISSED: Colour = (60, 60, 235)
GHOST: Colour = (20, 150, 250)
NOT_JUDGED: Colour = (170, 170, 170)
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Lost:
    """What a photo loses.

    Attributes:
        photo: which one.
        people: found in it.
        match: who is who.
    """

    photo: Photo
    people: People
    match: Match

    @property
    def amount(self) -> float:
        """What is missing to a perfect answer, in people: 1 - OKS of each annotated person, 1 for one who was missed,
        and the person score of each one found who is nobody."""
        false = self.people.person_score[self.match.ghosts]
        return float(np.sum(1.0 - self.match.fit) + np.sum(false))

    def __str__(self) -> str:
        wanted, missed = len(self.match.wanted), int((self.match.found < 0).sum())
        ghosts = len(self.match.ghosts)
        parts = [f"{missed} of {wanted} missed" if missed else f"all {wanted} found"]
        if missed < wanted:
            parts.append(f"mean OKS of the found {self.match.fit[self.match.found >= 0].mean():.2f}")
        if ghosts:
            parts.append(f"{ghosts} found where nobody is")
        return ", ".join(parts)


def worst(photos: Sequence[Photo], found: Sequence[People], min_person_score: float, count: int) -> list[Lost]:
    """The photos that lose most, the worst first, by the people of at least that score."""
    lost = []
    for photo, people in zip(photos, found, strict=True):
        shown = people[people.person_score >= min_person_score]
        lost.append(Lost(photo, shown, match(shown, photo.people)))
    return sorted(lost, key=lambda one: -one.amount)[:count]


def sheet(lost: Sequence[Lost], title: str, subtitle: str, min_joint_score: float = 0.0) -> Image:
    """The picture: a pair for each photo, annotated left and found right, and a caption under it.

    Args:
        lost: the photos in the order of the sheet.
        title, subtitle: two lines above it.
        min_joint_score: joints with less are not drawn.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    height, width = PICTURE
    pair = 2 * width + GAP // 3
    rows = -(-len(lost) // COLUMNS)
    columns = min(COLUMNS, max(1, len(lost)))
    size = (HEADER + rows * (height + CAPTION + GAP) + GAP, columns * (pair + GAP) + GAP, 3)
    paper: Image = np.full(size, PAPER, np.uint8)
    _write(paper, title, (GAP, 36), 0.85, INK, 2)
    _write(paper, subtitle, (GAP, 64), 0.52, FAINT)
    _legend(paper, 64)
    for number, one in enumerate(lost):
        top = HEADER + number // COLUMNS * (height + CAPTION + GAP)
        left = GAP + number % COLUMNS * (pair + GAP)
        image = one.photo.read()
        _place(paper, _annotated(image, one), (top, left))
        _place(paper, _found(image, one, min_joint_score), (top, left + width + GAP // 3))
        name = f"{number + 1}.  {one.photo.path.name}"
        _write(paper, name, (left, top + height + 21), 0.52, INK)
        loses = f"loses {one.amount:.1f}"
        _write(paper, loses, (left + pair - _width(loses, 0.52), top + height + 21), 0.52, INK)
        _write(paper, str(one), (left, top + height + 42), 0.47, FAINT)
    return paper


def _annotated(image: Image, one: Lost) -> Image:
    scale = _scale(image)
    picture = _scaled(image, scale)
    people = annotated_people(one.photo.people, image.shape[:2])
    for person in one.photo.people:
        if person["iscrowd"] or not person["num_keypoints"]:
            _box(picture, person["bbox"], scale, NOT_JUDGED, 1)
    picture = draw(picture, _grown(people, scale, picture))
    for person, index in zip(one.match.wanted, one.match.found, strict=True):
        if index < 0:
            _box(picture, person["bbox"], scale, MISSED, 2)
    return picture


def _found(image: Image, one: Lost, min_joint_score: float) -> Image:
    scale = _scale(image)
    picture = _scaled(image, scale)
    people = _grown(_sure(one.people, min_joint_score), scale, picture)
    picture = draw(picture, people)
    tags = [(person, f"{fit:.2f}", INK) for person, fit in zip(one.match.found, one.match.fit, strict=True)]
    for ghost in one.match.ghosts:
        left, top, right, bottom = people.boxes[ghost]
        if np.isfinite(left):
            _box(picture, [left, top, right - left, bottom - top], 1.0, GHOST, 2)
        tags.append((ghost, f"{one.people.person_score[ghost]:.2f}", GHOST))
    taken: list[tuple[int, int]] = []
    for person, text, colour in tags:
        if person >= 0 and np.isfinite(people.boxes[person, 0]):
            _tag(picture, text, people.boxes[person, :2], colour, taken)
    return picture


def _sure(people: People, min_joint_score: float) -> People:
    """The people without the joints that are doubtful: drawn, those would hide everything else in a crowd."""
    sure = people.score >= min_joint_score
    return replace(
        people,
        xy=np.where(sure[..., None], people.xy, np.float32(np.nan)),
        state=np.where(sure, people.state, JointState.UNKNOWN).astype(np.uint8),
    )


def _scale(image: Image) -> float:
    return float(min(PICTURE[0] / image.shape[0], PICTURE[1] / image.shape[1]))


def _scaled(image: Image, scale: float) -> Image:
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def _grown(people: People, scale: float, picture: Image) -> People:
    """The people in the pixels of the scaled picture."""
    places = ((people.xy + 0.5) * scale - 0.5).astype(np.float32)
    return replace(people, xy=places, image_size=(picture.shape[0], picture.shape[1]))


def _place(paper: Image, picture: Image, corner: tuple[int, int]) -> None:
    """Centre a picture in its field."""
    top, left = corner
    height, width = PICTURE
    paper[top : top + height, left : left + width] = SHADE
    y, x = top + (height - picture.shape[0]) // 2, left + (width - picture.shape[1]) // 2
    paper[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def _box(picture: Image, box: Sequence[float], scale: float, colour: Colour, weight: int) -> None:
    left, top, wide, high = (float(value) * scale for value in box)
    corner = max(1, round(left)), max(1, round(top))
    other = min(picture.shape[1] - 2, round(left + wide)), min(picture.shape[0] - 2, round(top + high))
    cv2.rectangle(picture, corner, other, colour, weight, cv2.LINE_AA)


def _tag(picture: Image, text: str, corner: npt.ArrayLike, colour: Colour, taken: list[tuple[int, int]]) -> None:
    """A small label whose lower left corner is there, moved into the picture; none where it would cover another."""
    wide = _width(text, 0.4) + 6
    left, top = np.round(np.asarray(corner, np.float64)).astype(int).tolist()
    x = min(max(0, left), max(0, picture.shape[1] - wide))
    y = min(max(15, top), picture.shape[0] - 1)
    if any(abs(x - other_x) < wide and abs(y - other_y) < 15 for other_x, other_y in taken):
        return
    taken.append((x, y))
    cv2.rectangle(picture, (x, y - 15), (x + wide, y), colour, cv2.FILLED)
    _write(picture, text, (x + 3, y - 4), 0.4, WHITE)


def _legend(paper: Image, baseline: int) -> None:
    """From the right: what the colours mean."""
    x = paper.shape[1] - GAP
    for text, colour in (("not judged", NOT_JUDGED), ("nobody there, and its score", GHOST), ("missed", MISSED)):
        x -= _width(text, 0.52)
        _write(paper, text, (x, baseline), 0.52, FAINT)
        cv2.rectangle(paper, (x - 20, baseline - 11), (x - 8, baseline + 1), colour, 2, cv2.LINE_AA)
        x -= 40


def _write(paper: Image, text: str, place: tuple[int, int], size: float, colour: Colour, weight: int = 1) -> None:
    cv2.putText(paper, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, weight, cv2.LINE_AA)


def _width(text: str, size: float) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0])
