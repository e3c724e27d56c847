"""People -> foxglove_msgs/ImageAnnotations, which Foxglove draws over the camera's own image.

So the image need not be sent a second time with people in it. Foxglove counts from the corner of the upper left pixel,
half a pixel before its centre. Colours are those of the markers in space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from std_msgs.msg import Header

from openpose_ros.draw import joint_colours
from openpose_ros.people import People
from openpose_ros.ros import qos
from openpose_ros.ros.bridges import messages
from openpose_ros.ros.markers import label, marker_ids, person_colour
from openpose_ros.skeleton import Skeleton

if TYPE_CHECKING:
    from openpose_ros.ros.outputs import Publishers, Result
    from openpose_ros.ros.settings import Settings

LINE = 1 / 200
"""Thickness of a limb as a share of the image's shorter side; joints are twice as thick."""

LETTERS = 1 / 30
"""Height of a label's letters as a share of the image's shorter side."""


@dataclass
class _Figure:
    """The annotations of one person and the points of its joints, kept to be filled again."""

    limbs: Any
    joints: Any
    label: Any
    points: list[Any]


class ImageAnnotations:
    """The topic annotations: limbs, joints and label of each person; empty where there is nobody."""

    needs_calibration = False

    def __init__(self, publishers: Publishers, skeleton: Skeleton) -> None:
        self._msg = messages("foxglove_msgs", "foxglove")
        self._publishers = publishers
        self._skeleton = skeleton
        self._limbs = [limb for index, limb in enumerate(skeleton.limbs) if index not in skeleton.filling]
        self._joint_colours = [self._colour(*(v / 255.0 for v in reversed(c))) for c in joint_colours(skeleton)]
        self._background = self._colour(0.0, 0.0, 0.0, 0.6)
        self._publisher = publishers(self._msg.ImageAnnotations, "annotations", qos.results())
        self._kept: list[_Figure] = []
        self.topics: tuple[str, ...] = (self._publisher.topic_name,)

    @property
    def wanted(self) -> bool:
        return bool(self._publisher.get_subscription_count())

    def publish(self, result: Result, settings: Settings) -> None:
        """What is to be drawn over the image with this stamp."""
        self._publisher.publish(self._annotations(result.people, result.header))

    def close(self) -> None:
        self._publishers.remove(self._publisher)

    def _annotations(self, people: People, header: Header) -> Any:
        known = people.known & np.isfinite(people.xy).all(-1)
        while len(self._kept) < len(people):
            self._kept.append(self._figure())
        rows = zip(
            self._kept[: len(people)], marker_ids(people), people.id.tolist(), people.person_score.tolist(),
            (people.xy.astype(np.float64) + 0.5).tolist(), known.tolist(), strict=True,
        )  # fmt: skip
        message = self._msg.ImageAnnotations()
        for figure, colour, identity, score, places, there in rows:
            if not any(there):
                continue
            figure.label.text = label(identity, score)
            self._draw(figure, person_colour(colour), places, there, min(people.image_size))
            for annotation in (figure.limbs, figure.joints, figure.label):
                annotation.timestamp = header.stamp
            message.points += [figure.limbs, figure.joints]
            message.texts.append(figure.label)
        return message

    def _draw(
        self,
        figure: _Figure,
        colour: tuple[float, float, float],
        places: list[list[float]],
        there: list[bool],
        size: int,
    ) -> None:
        points = figure.points
        joints = [joint for joint, known in enumerate(there) if known]
        for joint in joints:
            points[joint].x, points[joint].y = places[joint]
        figure.limbs.points = [points[joint] for a, b in self._limbs if there[a] and there[b] for joint in (a, b)]
        figure.limbs.outline_color = figure.label.text_color = self._colour(*colour)
        figure.limbs.thickness = LINE * size
        figure.joints.points = [points[joint] for joint in joints]
        figure.joints.outline_colors = [self._joint_colours[joint] for joint in joints]
        figure.joints.thickness = 2.0 * LINE * size
        highest = min(figure.joints.points, key=lambda point: point.y)
        figure.label.position.x, figure.label.position.y = highest.x, highest.y - LETTERS * size
        figure.label.font_size = LETTERS * size

    def _figure(self) -> _Figure:
        msg = self._msg
        return _Figure(
            limbs=msg.PointsAnnotation(type=msg.PointsAnnotation.LINE_LIST),
            joints=msg.PointsAnnotation(type=msg.PointsAnnotation.POINTS),
            label=msg.TextAnnotation(background_color=self._background),
            points=[msg.Point2() for _ in self._skeleton.joints],
        )

    def _colour(self, red: float, green: float, blue: float, alpha: float = 1.0) -> Any:
        return self._msg.Color(r=red, g=green, b=blue, a=alpha)
