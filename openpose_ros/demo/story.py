"""What the demo does, in order: a network, photos, two nodes, a table, pictures."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from openpose_ros.card import Card
from openpose_ros.demo.photos import demo_photos
from openpose_ros.demo.processes import Nodes, isolate
from openpose_ros.media import MediaError, frames
from openpose_ros.options import EVERYBODY
from openpose_ros.weights.catalogue import find_card
from openpose_ros.weights.default import accuracy, local_model

if TYPE_CHECKING:
    from openpose_ros.ros.demo_listener import Listener, Sighting

RATE = 3.0
"""Photos a second: slow enough for any computer to look at each one."""

ROUNDS = 2
"""Times every photo is shown: the first look at a new size costs extra, the table tells of the last."""

PATIENCE = 15.0
"""Seconds without anything new after which the demo tells what it has."""

MOVING_FRAMES = 20
"""Frames of a video or webcam that are told and shown."""


class DemoError(RuntimeError):
    """The demo cannot start or saw nothing; the text says why."""


def show(source_name: str, output: Path, model: str = "", timeout: float = 60.0) -> None:
    """Run the nodes on a source, print who was found, and write annotated pictures.

    Args:
        source_name: photo, folder, video or index of a webcam; ``synthetic`` for the demo's own photos and the
            backend without a network; empty for the demo's own photos.
        output: folder of the pictures, made when it is missing.
        model: card or name of a network; empty takes the best there is.
        timeout: seconds to wait for the first people.

    Raises:
        DemoError: ROS 2 is missing, or no people message came in time.
        NodeEndedError: a node ended by itself.
        MediaError, CardError, WeightsError: the source or the network cannot be used.
    """
    try:
        from openpose_ros.ros.demo_listener import Listener, digest
    except ImportError as error:
        raise DemoError(f"it needs ROS 2, and {error.name or error} is missing: use `make demo`") from None

    with ExitStack() as stack:
        synthetic = source_name == "synthetic"
        pose: dict[str, object] = {"backend": "synthetic"} if synthetic else {"model": str(_network(model))}
        pose["fine_people"] = EVERYBODY
        given = "" if synthetic else source_name
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="openpose_ros_demo_")))
        photos = [] if given else demo_photos(own)
        source = stack.enter_context(frames(given or own))
        moving = source.live or source.rate is not None
        _say(f"Input: {_describe(photos) if photos else source.source}.")
        names = {} if moving else {digest(frame.image): frame.name for frame in source}
        if not moving and not names:
            raise MediaError(f"nothing in {source.source} could be read")
        source.close()  # source_node opens it now

        isolate()
        listener = stack.enter_context(Listener())
        nodes = stack.enter_context(Nodes())
        pace = {} if moving else {"rate": RATE}
        nodes.start("pose_node", pose)
        nodes.start("source_node", {"source": given or str(own), "loop": not source.live, **pace})
        _say(f"Started source_node and pose_node in ROS domain {os.environ['ROS_DOMAIN_ID']}; waiting for /poses ...")
        seen = _watch(listener, nodes, names, timeout)

    _print_table(seen)
    output.mkdir(parents=True, exist_ok=True)
    for name, file in picture_files(list(seen)).items():
        if (picture := seen[name].picture) is not None:
            cv2.imwrite(str(output / file), picture)
    _say(f"Annotated pictures: {len(seen)} in {output}{os.sep}")


def picture_files(names: Sequence[str]) -> dict[str, str]:
    """The files of annotated pictures by the names of their photos: whole ones where two differ in the suffix alone."""
    stems = [Path(name).stem for name in names]
    return {name: f"{name if stems.count(stem) > 1 else stem}.png" for name, stem in zip(names, stems, strict=True)}


def _network(model: str) -> Path:
    """Card of the network to use, which is told; the small one is fetched when there is none at all."""
    path = find_card(model) if model else local_model()
    if path is None:
        from openpose_ros.weights.download import download_thin

        path = download_thin(_say)
    card = Card.load(path)
    _say(f"Network: {card.name}, {card.licence or 'licence not stated'}, {accuracy(card)}.")
    return path.resolve()


def _watch(listener: Listener, nodes: Nodes, names: dict[str, str], timeout: float) -> dict[str, Sighting]:
    """The last sighting of every photo after all rounds; without names, the first frames of a video."""
    seen: dict[str, Sighting] = {}
    rounds: dict[str, int] = {}
    news = time.monotonic()

    def done() -> bool:
        if not names:
            return len(seen) == MOVING_FRAMES
        return len(seen) == len(set(names.values())) and min(rounds.values()) >= ROUNDS

    while not done():
        for sighting in listener.wait(0.5):
            name = names.get(sighting.digest, "") if names else f"frame_{len(seen):03d}"
            if name:
                seen[name] = sighting
                rounds[name] = rounds.get(name, 0) + 1
                news = time.monotonic() if rounds[name] <= ROUNDS else news
        nodes.check()
        if time.monotonic() - news > (PATIENCE if seen else timeout):
            break
    if not seen:
        raise DemoError(
            f"no message on /poses within {timeout:.0f} s; the last lines of pose_node's log:\n"
            f"{nodes.last_lines('pose_node')}"
        )
    for name in sorted(set(names.values()) - set(seen)):
        _say(f"{name} did not come through.")
    return {name: seen[name] for name in sorted(seen)}


def _print_table(seen: dict[str, Sighting]) -> None:
    width = max(len("image"), *(len(name) for name in seen))
    _say(f"\n  {'image':{width}}  people  keypoints  milliseconds")
    for name, sighting in seen.items():
        _say(f"  {name:{width}}  {sighting.people:6d}  {sighting.keypoints:9d}  {sighting.milliseconds:12.1f}")
    _say("\nMilliseconds: from the stamp of the image to the arrival of its people, across both processes.")


def _describe(photos: list[Path]) -> str:
    groups = sum("coco" in path.name for path in photos)
    own = f"{len(photos) - groups} public-domain photos, the last made of the others as a crowd"
    return f"{own}, and {groups} photos of COCO" if groups else own


def _say(text: str) -> None:
    print(text, flush=True)
