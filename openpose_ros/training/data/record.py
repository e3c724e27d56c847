"""Record: a photo and what somebody annotated in it, in COCO's form, for no particular skeleton yet.

Every reader yields these, ``prepare`` packs them into shards, and :mod:`labels` makes samples of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from openpose_ros.skeleton import COCO_17
from openpose_ros.training.data.picture import Picture
from openpose_ros.training.data.regions import scaled_segmentation

KEPT = ("keypoints", "num_keypoints", "bbox", "area", "iscrowd", "segmentation")
"""What a shard keeps of an annotation."""


@dataclass(frozen=True, eq=False)
class Record:
    """An annotated photo.

    Attributes:
        picture: its encoded bytes.
        name: of the photo in its source, unique there.
        size: height and width as the annotations state them; None: not stated.
        joints: names of the keypoints in the order of the annotations.
        people: COCO's annotations (``keypoints`` as x, y, v with the first pixel's centre at 0.5, ``bbox`` as left,
            top, width, height, ...); None for a photo of which nobody said who is in it.
    """

    picture: Picture
    name: str
    size: tuple[int, int] | None = None
    joints: tuple[str, ...] = COCO_17.joints
    people: tuple[dict[str, Any], ...] | None = None

    def scaled(self, picture: Picture, stored: tuple[int, int], size: tuple[int, int]) -> Record:
        """The same people in a resized photo.

        Args:
            picture: the resized photo.
            stored, size: height and width before and after.
        """
        down, across = size[0] / stored[0], size[1] / stored[1]
        people = None if self.people is None else tuple(_scaled(p, across, down, size) for p in self.people)
        return Record(picture, self.name, size, self.joints, people)

    def to_json(self) -> bytes:
        """What a shard says of the photo."""
        table: dict[str, Any] = {"name": self.name}
        if self.size is not None:
            table |= {"height": self.size[0], "width": self.size[1]}
        if self.people is not None:
            table["joints"] = list(self.joints)
            table["people"] = [{key: person[key] for key in KEPT if key in person} for person in self.people]
        return json.dumps(table, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes, picture: Picture, name: str) -> Record:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            table = json.loads(text)
            size = (int(table["height"]), int(table["width"])) if "height" in table else None
            people = tuple(dict(person) for person in table["people"]) if "people" in table else None
            joints = tuple(map(str, table.get("joints", COCO_17.joints)))
            return cls(picture, str(table.get("name", name)), size, joints, people)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the annotation of a photo: {error!r}") from None


def _scaled(person: dict[str, Any], across: float, down: float, size: tuple[int, int]) -> dict[str, Any]:
    changed = dict(person)
    if "bbox" in person:
        left, top, width, height = person["bbox"]
        changed["bbox"] = [round(v, 2) for v in (left * across, top * down, width * across, height * down)]
    if "area" in person:
        changed["area"] = round(person["area"] * across * down, 2)
    if "keypoints" in person:
        points = list(person["keypoints"])
        points[0::3] = [round(x * across, 2) for x in points[0::3]]
        points[1::3] = [round(y * down, 2) for y in points[1::3]]
        changed["keypoints"] = points
    if "segmentation" in person:
        changed["segmentation"] = scaled_segmentation(person["segmentation"], across, down, size)
    return changed
