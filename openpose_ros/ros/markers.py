"""People -> visualization_msgs/MarkerArray: skeletons in space, for RViz and Foxglove.

A person is up to three markers: its limbs (LINE_LIST), its joints (SPHERE_LIST) and its label (TEXT_VIEW_FACING), in
the namespaces limbs, joints and labels. A marker's id is the person's id; people without one have -1, -2 and so on in
the order of the message. Limbs and label have a colour of the person's own, joints have those of the annotated picture,
pale where the joint was completed.

A marker that stays is updated in place and one that vanished is deleted by its id, because a display that is cleared
for every image flickers. Everything is deleted before the first image and when nobody is left. The lifetime is only for
the case that the node dies: it is longer than the time between two images of a slow machine, and so never seen.

What it costs to fill 20 people of 18 joints (Python 3.11, Jazzy): 0.4 ms (0.8 with ROS_PYTHON_CHECK_FIELDS=1), and
1.3 ms to serialise. As in messages.py, objects are kept and numbers come from tolist(). Limbs and joints share points.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from openpose_ros.draw import joint_colours
from openpose_ros.options import MarkerOptions
from openpose_ros.people import JointState, People
from openpose_ros.skeleton import Skeleton

if TYPE_CHECKING:
    from openpose_ros.camera_model import CameraModel

LIFETIME = Duration(sec=5)

GOLDEN_RATIO = (5**0.5 - 1) / 2

JOINT_SIZE = 2.0
"""Diameter of a joint in widths of a limb."""

LABEL_SIZE = 4.0
"""Height of a label's letters in widths of a limb; its middle is as far above the person's highest joint."""

Colour = tuple[float, float, float]
Places = npt.NDArray[np.float64]


def marker_ids(people: People) -> list[int]:
    """P different numbers: the ids of tracked people, and -1, -2, ... for the others in their order."""
    others = iter(range(-1, -len(people) - 1, -1))
    return [identity if identity >= 0 else next(others) for identity in people.id.tolist()]


def person_colour(identity: int) -> Colour:
    """Red, green and blue in 0..1 for a marker id. Steps of the golden ratio set neighbouring ids far apart in hue."""
    return colorsys.hsv_to_rgb(identity * GOLDEN_RATIO % 1.0, 0.7, 1.0)


def label(identity: int, score: float) -> str:
    """What is written above a person, as in the annotated picture: its id, where it has one, and its score."""
    return f"{identity}: {score:.2f}" if identity >= 0 else f"{score:.2f}"


class Markers:
    """Fills one MarkerArray over and over and remembers what there is to delete; for one thread.

    Attributes:
        unplaced: how many people of the last image had no place: neither depth, nor a camera to set them before.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.unplaced = 0
        self._skeleton = skeleton
        self._figures: list[_Figure] = []
        self._shown: set[tuple[str, int]] = set()
        self._begun = False

    def fill(self, people: People, header: Header, camera: CameraModel | None, options: MarkerOptions) -> MarkerArray:
        """The markers of one image. They are good until the next call: publish them, or copy them.

        Args:
            people: those with positions are shown there, with the limbs whose both ends have one; the others on the
                plane ``options.marker_distance`` metres before the camera.
            header: of the image; stamp and frame of every marker.
            camera: of the image; None while there is no camera_info. Then people without positions are left out and
                counted in ``unplaced``.
        """
        places, known = self._places(people, camera, options.marker_distance)
        rows = np.flatnonzero(known.any(-1)).tolist()
        while len(self._figures) < len(rows):
            self._figures.append(_Figure(self._skeleton))
        identities = marker_ids(people)
        markers: list[Marker] = []
        for figure, row in zip(self._figures, rows, strict=False):
            figure.move(places[row], known[row])
            completed = people.state[row] == JointState.COMPLETED
            text = label(int(people.id[row]), float(people.person_score[row])) if options.marker_labels else ""
            markers += figure.markers(header, identities[row], completed.tolist(), text, options.marker_line_width)
        return MarkerArray(markers=[*self._deletions(header, markers), *markers])

    def clear(self, header: Header) -> MarkerArray:
        """The message that takes everything away, for a node that ceases to publish."""
        self._shown = set()
        self._begun = False
        return MarkerArray(markers=[_delete(header)])

    def _places(
        self, people: People, camera: CameraModel | None, distance: float
    ) -> tuple[Places, npt.NDArray[np.bool_]]:
        """(P, J, 3) metres in the camera's frame, and (P, J) which of them there are."""
        places: Places = np.full((*people.xy.shape[:2], 3), np.nan)
        if people.xyz is not None:
            places[:] = people.xyz
        flat = people.known & np.isfinite(people.xy).all(-1)
        flat[np.isfinite(places).all(-1).any(-1)] = False
        self.unplaced = 0
        if camera is None:
            self.unplaced = int(flat.any(-1).sum())
        else:
            places[flat] = distance * camera.rays(people.xy[flat])
        return places, np.asarray(np.isfinite(places).all(-1), np.bool_)

    def _deletions(self, header: Header, markers: list[Marker]) -> list[Marker]:
        """What must go before these markers come."""
        shown = {(marker.ns, marker.id) for marker in markers}
        vanished, self._shown = self._shown - shown, shown
        if not self._begun or (vanished and not shown):
            self._begun = True
            return [_delete(header)]
        return [_delete(header, *which) for which in sorted(vanished)]


class _Figure:
    """The points and markers of one person."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._limbs = [limb for index, limb in enumerate(skeleton.limbs) if index not in skeleton.filling]
        bright = [tuple(value / 255.0 for value in reversed(colour)) for colour in joint_colours(skeleton)]
        self._seen = [_rgba(*colour) for colour in bright]
        self._completed = [_rgba(*((1.0 + value) / 2.0 for value in colour)) for colour in bright]
        self._points = [Point() for _ in skeleton.joints]
        self._known: list[bool] = []
        self._colour = _rgba(0.0, 0.0, 0.0)
        self._lines = _marker("limbs", Marker.LINE_LIST, self._colour)
        self._spheres = _marker("joints", Marker.SPHERE_LIST, self._colour)
        self._label = _marker("labels", Marker.TEXT_VIEW_FACING, self._colour)

    def move(self, places: Places, known: npt.NDArray[np.bool_]) -> None:
        """Take the places (J, 3) of the joints that are known (J,)."""
        self._known = known.tolist()
        for point, (x, y, z), there in zip(self._points, places.tolist(), self._known, strict=True):
            if there:
                point.x = x
                point.y = y
                point.z = z

    def markers(self, header: Header, identity: int, completed: list[bool], text: str, width: float) -> list[Marker]:
        """Those of the three that have something to show."""
        self._colour.r, self._colour.g, self._colour.b = person_colour(identity)
        points, known = self._points, self._known
        joints = [joint for joint, there in enumerate(known) if there]
        lines, spheres, written = self._lines, self._spheres, self._label
        lines.points = [points[joint] for limb in self._limbs if known[limb[0]] and known[limb[1]] for joint in limb]
        lines.scale.x = width
        spheres.points = [points[joint] for joint in joints]
        spheres.colors = [(self._completed if completed[joint] else self._seen)[joint] for joint in joints]
        spheres.scale.x = spheres.scale.y = spheres.scale.z = JOINT_SIZE * width
        highest = min(spheres.points, key=lambda point: point.y)  # y points down in a camera's frame
        written.pose.position.x, written.pose.position.z = highest.x, highest.z
        written.pose.position.y = highest.y - LABEL_SIZE * width
        written.scale.z = LABEL_SIZE * width
        written.text = text
        shown = [marker for marker, there in ((lines, lines.points), (spheres, joints), (written, text)) if there]
        for marker in shown:
            marker.header = header
            marker.id = identity
        return shown


def _marker(namespace: str, kind: int, colour: ColorRGBA) -> Marker:
    return Marker(ns=namespace, type=kind, action=Marker.ADD, color=colour, lifetime=LIFETIME)


def _delete(header: Header, namespace: str = "", identity: int | None = None) -> Marker:
    """Deletes one marker, or all of the topic."""
    if identity is None:
        return Marker(header=header, action=Marker.DELETEALL)
    return Marker(header=header, ns=namespace, id=identity, action=Marker.DELETE)


def _rgba(red: float, green: float, blue: float) -> ColorRGBA:
    return ColorRGBA(r=red, g=green, b=blue, a=1.0)
