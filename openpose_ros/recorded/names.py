"""Image topics of a bag -> the topics of the people found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from openpose_ros.bags import BagError


class Names(NamedTuple):
    """What is written about one image topic: people, their skeleton, and the annotated pictures."""

    poses: str
    skeleton: str
    annotated: str


def names_for(images: Sequence[str], poses: str = "") -> dict[str, Names]:
    """The topics written for each image topic.

    Args:
        images: names of the image topics.
        poses: topic of the people. A relative one stands beside each image topic, or below it where two of them share
            a namespace; an absolute one is for a single image topic. Empty is /poses for a single one, else poses.

    Raises:
        BagError: two image topics would be written to one topic, or it is no name of a topic.
    """
    poses = poses or ("/poses" if len(images) == 1 else "poses")
    if not all(part and part.replace("_", "a").isalnum() for part in poses.removeprefix("/").split("/")):
        raise BagError(f"{poses!r} is no name of a topic; expected one such as /poses or left/poses")
    if poses.startswith("/") and len(images) > 1:
        raise BagError(f"{poses} cannot hold the people of {len(images)} image topics; expected a name without /")
    plain = {image: image.removesuffix("/compressed") for image in images}
    cameras = {image: name.rpartition("/")[0] for image, name in plain.items()}
    shared = Counter(cameras.values())
    names = {}
    for image in images:
        above = cameras[image] if shared[cameras[image]] == 1 else plain[image]
        people = poses if poses.startswith("/") else f"{above}/{poses}"
        names[image] = Names(people, f"{people}/skeleton", f"{people.rpartition('/')[0]}/annotated/compressed")
    for people, count in Counter(name.poses for name in names.values()).items():
        if count > 1:
            both = " and ".join(image for image, name in names.items() if name.poses == people)
            raise BagError(f"the people of {both} would both be on {people}; expected one of them as --topic")
    return names
