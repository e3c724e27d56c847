"""Draws docs/images/rviz.jpg: python test/ros/rviz_picture.py docs/images/rviz.jpg

The annotated image beside what RViz shows of the MarkerArray of the same people, from the view of config/pose.rviz. A
photo has no depth; here a body of usual proportions stands in for the depth camera. It says how far away a person is,
and how far an arm that looks short reaches towards the camera.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import yaml
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from openpose_ros.camera_model import CameraModel
from openpose_ros.demo.photos import PORTRAITS, crowd, portrait
from openpose_ros.draw import draw
from openpose_ros.estimator import Estimator
from openpose_ros.options import DecodeOptions, DrawOptions, MarkerOptions
from openpose_ros.people import People
from openpose_ros.ros.markers import Markers

Doubles = npt.NDArray[np.float64]
Canvas = npt.NDArray[np.uint8]

ROOT = Path(__file__).resolve().parents[2]
SIZE = (1200, 460)
"""Width and height of the picture in pixels."""

FINE = 3
"""The drawing is so many times larger, then reduced: smooth edges."""

BONES = {
    ("neck", "nose"): 0.22, ("neck", "right_shoulder"): 0.18, ("neck", "left_shoulder"): 0.18,
    ("right_shoulder", "right_elbow"): 0.30, ("right_elbow", "right_wrist"): 0.26,
    ("left_shoulder", "left_elbow"): 0.30, ("left_elbow", "left_wrist"): 0.26,
    ("neck", "right_hip"): 0.52, ("neck", "left_hip"): 0.52,
}  # fmt: skip
"""Metres from joint to joint of an adult."""


def without_legs(people: People) -> People:
    """The portraits end at the hips; what goes on below belongs to the next one."""
    legs = [joint for joint, name in enumerate(people.skeleton.joints) if name.endswith(("knee", "ankle"))]
    xy, score = people.xy.copy(), people.score.copy()
    xy[:, legs], score[:, legs] = np.nan, 0.0
    return People.from_arrays(people.skeleton, xy, people.image_size, score, people.person_score)


def lifted(people: People, camera: CameraModel) -> People:
    """With places in space for a body of usual proportions."""
    skeleton, rays = people.skeleton, camera.rays(people.xy)
    xyz = np.full((*people.xy.shape[:2], 3), np.nan)
    for person in range(len(people)):
        lengths = {}
        for names, metres in BONES.items():
            a, b = (skeleton.joint(name) for name in names)
            lengths[a, b] = metres, float(np.linalg.norm((rays[person, a] - rays[person, b])[:2]))
        away = np.nanpercentile([metres / seen for metres, seen in lengths.values()], 25)
        depth = np.full(len(skeleton.joints), away)
        for (a, b), (metres, seen) in lengths.items():
            if skeleton.joints[b].endswith(("elbow", "wrist")):
                depth[b] = depth[a] - np.sqrt(max(0.0, metres**2 - (seen * away) ** 2))
        depth[skeleton.joint("nose")] -= 0.12
        xyz[person] = rays[person] * depth[:, None]
    return replace(people, xyz=xyz.astype(np.float32), id=np.arange(len(people), dtype=np.int32))


class View:
    """RViz's Orbit view: places (..., 3) -> pixels (..., 2) and distance along the view (...)."""

    def __init__(self, orbit: dict[str, object], size: tuple[int, int]) -> None:
        focus = np.array([orbit["Focal Point"][axis] for axis in "XYZ"], float)  # type: ignore[index]
        yaw, pitch, distance = (float(orbit[name]) for name in ("Yaw", "Pitch", "Distance"))  # type: ignore[arg-type]
        away = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
        self.eye = focus + distance * away
        right = np.cross(-away, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        self.axes = np.stack([right, np.cross(-away, right), -away])
        self.focal = size[1] / 2.0 / np.tan(np.deg2rad(45.0) / 2.0)  # Ogre's default field of view
        self.centre = np.array(size) / 2.0

    def __call__(self, places: npt.ArrayLike) -> tuple[Doubles, Doubles]:
        seen = (np.asarray(places, float) - self.eye) @ self.axes.T
        return self.centre + self.focal * seen[..., :2] / seen[..., 2:], seen[..., 2]


def rendered(array: MarkerArray, config: Path, size: tuple[int, int]) -> Canvas:
    """What RViz shows, farther things first."""
    manager = yaml.safe_load(config.read_text())["Visualization Manager"]
    large = (size[0] * FINE, size[1] * FINE)
    view = View(manager["Views"]["Current"], large)
    background = [int(value) for value in manager["Global Options"]["Background Color"].split(";")]
    canvas = np.full((large[1], large[0], 3), background, np.uint8)
    for display in manager["Displays"]:
        if display["Class"].endswith("/Grid"):
            _grid(canvas, view, display)
        elif display["Class"].endswith("/Axes"):
            for axis in range(3):
                tip = np.eye(3)[axis] * display["Length"]
                _line(canvas, view, np.zeros(3), tip, 2 * display["Radius"], np.eye(3)[axis])
    pieces = [piece for marker in array.markers for piece in _pieces(marker)]
    for marker, places, colour in sorted(pieces, key=lambda piece: -float(view(piece[1])[1].mean())):
        if marker.type == Marker.LINE_LIST:
            _line(canvas, view, *places, marker.scale.x, colour)
        elif marker.type == Marker.SPHERE_LIST:
            _sphere(canvas, view, places[0], marker.scale.x / 2.0, colour)
        else:
            _text(canvas, view, places[0], marker.scale.z, colour, marker.text)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)[..., ::-1], np.uint8)


def _pieces(marker: Marker) -> list[tuple[Marker, Doubles, Doubles]]:
    if marker.action != Marker.ADD:
        return []
    step = {Marker.LINE_LIST: 2, Marker.SPHERE_LIST: 1}.get(marker.type)
    points = [(p.x, p.y, p.z) for p in (marker.points if step else [marker.pose.position])]
    colours = marker.colors or [marker.color] * len(points)
    places = np.array(points).reshape(-1, step or 1, 3)
    return [(marker, row, np.array([(c := colours[n * (step or 1)]).r, c.g, c.b])) for n, row in enumerate(places)]


def _grid(canvas: Canvas, view: View, display: dict[str, object]) -> None:
    offset = np.array([display["Offset"][axis] for axis in "XYZ"], float)  # type: ignore[index]
    half = int(display["Plane Cell Count"]) // 2  # type: ignore[call-overload]
    for cell in range(-half, half + 1):
        for one, other in (((cell, -half), (cell, half)), ((-half, cell), (half, cell))):
            ends = [offset + np.array([x, 0.0, z]) for x, z in (one, other)]
            if (view(ends)[1] > 0.1).all():
                _line(canvas, view, *ends, 0.0, np.full(3, 0.38))


def _line(canvas: Canvas, view: View, start: Doubles, end: Doubles, width: float, colour: Doubles) -> None:
    pixels, depth = view([start, end])
    thickness = max(FINE, round(width * view.focal / float(depth.mean())))
    a, b = (tuple(round(float(value)) for value in pixel) for pixel in pixels)
    cv2.line(canvas, a, b, _bytes(colour), thickness, cv2.LINE_AA)


def _sphere(canvas: Canvas, view: View, place: Doubles, radius: float, colour: Doubles) -> None:
    pixel, depth = view(place)
    size = radius * view.focal / float(depth)
    for step in range(8):  # lit from the upper left
        centre = pixel - size * 0.35 * step / 8
        shade = colour * (0.65 + 0.35 * step / 7)
        middle = tuple(round(float(value)) for value in centre)
        cv2.circle(canvas, middle, max(1, round(size * (1 - step / 8))), _bytes(shade), cv2.FILLED, cv2.LINE_AA)


def _text(canvas: Canvas, view: View, place: Doubles, height: float, colour: Doubles, text: str) -> None:
    pixel, depth = view(place)
    scale = height * view.focal / float(depth) / 22.0  # a capital of this font is 22 pixels high at scale 1
    (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2 * FINE)
    corner = round(float(pixel[0]) - wide / 2), round(float(pixel[1]) + high / 2)
    cv2.putText(canvas, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, _bytes(colour), 2 * FINE, cv2.LINE_AA)


def _bytes(colour: Doubles) -> tuple[int, ...]:
    return tuple(round(255.0 * float(np.clip(value, 0.0, 1.0))) for value in colour)


def main(target: str) -> None:
    """Write the picture."""
    image = crowd([photo for name in PORTRAITS if (photo := portrait(name)) is not None], per_row=(3, 2))
    height, width = image.shape[:2]
    camera = CameraModel(width, height, np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]]))
    found = Estimator.load(decode=DecodeOptions(min_person_score=0.5))(image)
    people = lifted(without_legs(found), camera)
    array = Markers(people.skeleton).fill(people, Header(), camera, MarkerOptions())
    drawn = draw(image, people, DrawOptions(labels=True))
    left = cv2.resize(drawn, (width * SIZE[1] // height, SIZE[1]), interpolation=cv2.INTER_AREA)
    right = rendered(array, ROOT / "config" / "pose.rviz", (SIZE[0] - left.shape[1], SIZE[1]))
    cv2.imwrite(target, np.hstack([left, right]), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main(sys.argv[1])
