"""People -> vision_msgs/Detection2DArray, for trackers, annotators and displays that know boxes only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from std_msgs.msg import Header

from openpose_ros.people import People
from openpose_ros.ros import qos
from openpose_ros.ros.bridges import messages

if TYPE_CHECKING:
    from openpose_ros.ros.outputs import Publishers, Result
    from openpose_ros.ros.settings import Settings

CLASS = "person"


class Detections:
    """The topic detections: a box around each person's joints in pixels, with centres of pixels at whole numbers.

    A box ends at the joints and so is tighter than a detector's: the top of the head, hands and feet stand out. The id
    is a text, empty while the person is untracked. Needs vision_msgs 4, which Humble has, or later.
    """

    needs_calibration = False

    def __init__(self, publishers: Publishers) -> None:
        self._msg = messages("vision_msgs", "vision")
        self._publishers = publishers
        self._publisher = publishers(self._msg.Detection2DArray, "detections", qos.results())
        self._kept: list[Any] = []
        self.topics: tuple[str, ...] = (self._publisher.topic_name,)

    @property
    def wanted(self) -> bool:
        return bool(self._publisher.get_subscription_count())

    def publish(self, result: Result, settings: Settings) -> None:
        """One detection for every person with a joint; an empty array where there is nobody."""
        detections = self._detections(result.people, result.header)
        self._publisher.publish(self._msg.Detection2DArray(header=result.header, detections=detections))

    def close(self) -> None:
        self._publishers.remove(self._publisher)

    def _detections(self, people: People, header: Header) -> list[Any]:
        people = people[people.known.any(1)]
        while len(self._kept) < len(people):
            hypothesis = self._msg.ObjectHypothesisWithPose()
            hypothesis.hypothesis.class_id = CLASS
            self._kept.append(self._msg.Detection2D(results=[hypothesis]))
        low, high = np.split(people.boxes.astype(np.float64), 2, axis=1)
        detections = self._kept[: len(people)]
        rows = zip(
            detections, people.id.tolist(), people.person_score.tolist(), ((low + high) / 2.0).tolist(),
            (high - low).tolist(), strict=True,
        )  # fmt: skip
        for detection, identity, score, (x, y), (width, height) in rows:
            detection.header = header
            detection.id = str(identity) if identity >= 0 else ""
            detection.results[0].hypothesis.score = score
            detection.bbox.center.position.x = x
            detection.bbox.center.position.y = y
            detection.bbox.size_x = width
            detection.bbox.size_y = height
        return detections
