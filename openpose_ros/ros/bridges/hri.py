"""Tracked people -> ROS4HRI (REP-155, hri_msgs): the list of bodies, and region and skeleton of each.

The topics are absolute because REP-155 has them so: /humans/bodies/tracked, and for every body
/humans/bodies/ID/roi and /humans/bodies/ID/skeleton2d. Its cropped images, joint states and frames are not made here.

An ID is three random letters and the person's id, such as kqz12: it must be unique on the robot, also after a restart,
and a part of a topic's name must not begin with a digit.
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from std_msgs.msg import Header

from openpose_ros.people import People
from openpose_ros.ros import qos
from openpose_ros.ros.bridges import messages
from openpose_ros.skeleton import Skeleton

if TYPE_CHECKING:
    from openpose_ros.ros.outputs import Publishers, Result
    from openpose_ros.ros.settings import Settings

PATIENCE = 1.0
"""Seconds for which a body that is not seen stays in the list. Listeners throw away what they know of one that is gone,
and somebody who passes behind a pillar comes back with the same id."""

MOST = 50
"""Bodies at the same time. Each has two publishers, of which every ROS process on the network hears."""


@dataclass
class _Body:
    """A body in the list."""

    name: str
    roi: Any
    skeleton: Any
    seen: float = 0.0


class Bodies:
    """Publishers of a body are made when it appears and destroyed when it has vanished.

    They keep their last message for listeners that come later, because those learn of a body from the list only.

    Args:
        publishers: of the only camera: two lists on one topic would contradict each other.
        prefix: of all IDs; None takes random letters.
        clock: seconds that never go backwards.
    """

    needs_calibration = False

    def __init__(
        self,
        publishers: Publishers,
        skeleton: Skeleton,
        prefix: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._msg = messages("hri_msgs", "hri")
        self._publishers = publishers
        self._clock = clock
        self._prefix = prefix or "".join(random.choices(string.ascii_lowercase, k=3))
        # By name: of eyes and ears OpenPose counts the right one first, Skeleton2D the left one.
        codes = [getattr(self._msg.Skeleton2D, joint.upper(), None) for joint in skeleton.joints]
        self._codes = [(joint, code) for joint, code in enumerate(codes) if code is not None]
        self._tracked = publishers(self._msg.IdsList, "/humans/bodies/tracked", qos.results())
        self._bodies: dict[int, _Body] = {}
        self._header: Header | None = None
        self._roi = self._msg.NormalizedRegionOfInterest2D()
        self._skeleton = self._msg.Skeleton2D()
        self.topics: tuple[str, ...] = (self._tracked.topic_name,)

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to the list, with which every listener begins."""
        return bool(self._tracked.get_subscription_count())

    def publish(self, result: Result, settings: Settings) -> None:
        """The list, then region and skeleton of those in the image. The untracked are left out."""
        people = result.people[(result.people.id >= 0) & result.people.known.any(1)][:MOST]
        self._meet(people.id.tolist())
        self._header = result.header
        names = [body.name for body in self._bodies.values()]
        self._tracked.publish(self._msg.IdsList(header=result.header, ids=names))
        self._send(people, result.header)

    def farewell(self) -> None:
        if self._header is not None:
            self._forget(list(self._bodies))
            self._tracked.publish(self._msg.IdsList(header=self._header))
            self._header = None

    def close(self) -> None:
        self._forget(list(self._bodies))
        self._publishers.remove(self._tracked)

    def _meet(self, identities: list[int]) -> None:
        """Make the bodies of these people, and let go of those that have not been seen for a while."""
        now = self._clock()
        for identity in identities:
            if identity not in self._bodies:
                self._bodies[identity] = self._body(f"{self._prefix}{identity}")
            self._bodies[identity].seen = now
        absent = sorted(set(self._bodies) - set(identities), key=lambda identity: self._bodies[identity].seen)
        gone = [identity for identity in absent if now - self._bodies[identity].seen > PATIENCE]
        excess = absent[: max(0, len(self._bodies) - MOST)]
        self._forget(max(gone, excess, key=len))  # both begin with the oldest, so the longer one holds the other

    def _body(self, name: str) -> _Body:
        # Not lifecycle publishers: made while the node is active, those would sleep until its next activation.
        create, topic = self._publishers.node.create_publisher, f"/humans/bodies/{name}"
        return _Body(
            name,
            roi=create(self._msg.NormalizedRegionOfInterest2D, f"{topic}/roi", qos.latched()),
            skeleton=create(self._msg.Skeleton2D, f"{topic}/skeleton2d", qos.latched()),
        )

    def _forget(self, identities: list[int]) -> None:
        for identity in identities:
            body = self._bodies.pop(identity)
            self._publishers.node.destroy_publisher(body.roi)
            self._publishers.node.destroy_publisher(body.skeleton)

    def _send(self, people: People, header: Header) -> None:
        places = np.where(people.known[..., None], _normalised(people.xy, people.image_size), 0.0)
        scores = np.where(people.known, people.score, np.float32(0.0))
        boxes = _normalised(people.boxes.reshape(-1, 2, 2), people.image_size).reshape(-1, 4)
        roi, skeleton = self._roi, self._skeleton
        roi.header = skeleton.header = header
        rows = zip(
            people.id.tolist(), people.person_score.tolist(), boxes.tolist(), places.tolist(), scores.tolist(),
            strict=True,
        )  # fmt: skip
        for identity, whole, box, joints, confidences in rows:
            roi.xmin, roi.ymin, roi.xmax, roi.ymax = box
            roi.c = whole
            for joint, code in self._codes:
                point = skeleton.skeleton[code]
                point.x, point.y = joints[joint]
                point.c = confidences[joint]
            body = self._bodies[identity]
            body.roi.publish(roi)
            body.skeleton.publish(skeleton)


def _normalised(xy: npt.NDArray[np.float32], image_size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Pixels (..., 2) -> shares of width and height. hri_msgs wants 0..1, so what lies outside comes to the border."""
    height, width = image_size
    return np.clip((xy.astype(np.float64) + 0.5) / [width, height], 0.0, 1.0)
