"""Rooms with people whose joints are known, as a depth camera would see them.

Bodies are capsules (all points within a radius of a line), so that what any ray meets first has a formula, and the
true surface at a joint is known beside the image with its noise, holes and mixed edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from openpose_ros.camera_model import CameraModel
from openpose_ros.people import People
from openpose_ros.skeleton import COCO_18, Skeleton

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

CAMERA = CameraModel(
    640,
    480,
    np.array([[525.0, 0.0, 319.5], [0.0, 525.0, 239.5], [0.0, 0.0, 1.0]]),
    np.array([0.12, -0.24, 0.001, -0.0005, 0.05]),
    "plumb_bob",
)
"""A first-generation structured-light camera, in round numbers."""

NEAREST, FARTHEST = 1.2, 6.0
"""Metres from the camera between which people stand."""

CEILING, FLOOR = -1.6, 1.0
"""y of the room's ceiling and floor in metres, from the camera."""

ERROR = 0.015
"""Metres by which the network misses a joint, across and down each, as a standard deviation."""

GUESSED = 0.4
"""Share of the hidden joints to which the network gives a place all the same."""

FOUND = 0.3
"""Share of the joints that must be visible for the network to find somebody."""

BODY = (
    ("right_shoulder", "right_hip", 0.1), ("left_shoulder", "left_hip", 0.1), ("neck", "mid_hip", 0.11),
    ("right_shoulder", "left_shoulder", 0.06), ("right_hip", "left_hip", 0.1), ("neck", "skull", 0.06),
    ("skull", "skull", 0.1), ("right_shoulder", "right_elbow", 0.045), ("left_shoulder", "left_elbow", 0.045),
    ("right_elbow", "right_wrist", 0.035), ("left_elbow", "left_wrist", 0.035), ("right_wrist", "right_hand", 0.03),
    ("left_wrist", "left_hand", 0.03), ("right_hip", "right_knee", 0.07), ("left_hip", "left_knee", 0.07),
    ("right_knee", "right_ankle", 0.05), ("left_knee", "left_ankle", 0.05),
    ("right_ankle", "right_big_toe", 0.035), ("left_ankle", "left_big_toe", 0.035),
)  # fmt: skip
"""From, to and the radius in metres of someone 1.7 m tall."""


TRUNK = ("neck", "chest")
"""Joints, beside the hips, with more than 0.13 m of body around them."""


@dataclass(frozen=True)
class Scene:
    """What a sensor saw, and the truth.

    Attributes:
        people: where a network of ordinary precision might see the joints.
        depth: (h, w) metres, NaN where the sensor knows nothing.
        surface: (P, J, 3) metres, the first thing on the ray of the true joint.
        joints: (P, J, 3) metres, inside the bodies.
        visible: (P, J) whether that first thing is the body around the joint.
    """

    people: People
    depth: Floats
    surface: Doubles
    joints: Doubles
    visible: npt.NDArray[np.bool_]


def scene(
    count: int,
    seed: int = 0,
    camera: CameraModel = CAMERA,
    depth_size: tuple[int, int] = (480, 640),
    wall: float = 7.0,
    counter: bool = False,
    skeleton: Skeleton = COCO_18,
    clean: bool = False,
) -> Scene:
    """A room with people at NEAREST to FARTHEST, some in front of others.

    Args:
        count: of people.
        seed: decides everything that is random.
        camera: of the image.
        depth_size: height and width of the depth image; the view is the camera's.
        wall: metres to the wall behind everybody, at least 2; nobody stands less than half a metre before it.
        counter: a rail as thick as a counter runs across, 0.4 m before the nearest person's hips.
        skeleton: of the people.
        clean: neither the sensor nor the network errs.
    """
    random = np.random.default_rng(seed)
    bodies = [_body(random, spot) for spot in _spots(random, count, camera, wall - 0.5)]
    capsules = np.concatenate([_capsules(body, owner) for owner, body in enumerate(bodies)])
    if counter:
        nearest = min((body["mid_hip"] for body in bodies), key=lambda hip: float(hip[2]))
        y, z = nearest[1], nearest[2] - 0.4
        capsules = np.concatenate([capsules, [[-4.0, y, z, 4.0, y, z, 0.12, -1.0]]])
    joints = np.array([[body[name] for name in skeleton.joints] for body in bodies])
    centre = camera.project(joints)
    met, owner = _first(joints / joints[..., 2:], capsules, wall)
    thick = np.array([0.16 if name in TRUNK or "hip" in name else 0.13 for name in skeleton.joints])
    visible = (owner == np.arange(count)[:, None]) & (joints[..., 2] - met < thick)
    depth = _render(capsules, camera, depth_size, wall)
    per_metre = camera.k[0, 0] / joints[..., 2:]
    seen = centre if clean else centre + random.normal(0.0, 1.0, centre.shape) * np.hypot(0.5, ERROR * per_metre)
    # Of what is hidden a network guesses a part; those of whom it sees too little it does not find.
    told = (visible | (random.random(visible.shape) < GUESSED)) & _inside(centre, camera) & _inside(seen, camera)
    told &= (visible & told).mean(1, keepdims=True) >= FOUND
    people = People.from_arrays(skeleton, np.where(told[..., None], seen, np.nan), (camera.height, camera.width))
    noisy = depth if clean else _sensed(depth, random)
    return Scene(people, noisy, joints / joints[..., 2:] * met[..., None], joints, visible)


def _spots(random: np.random.Generator, count: int, camera: CameraModel, far: float) -> list[tuple[float, float]]:
    """x and z of people in view, evenly over the floor and, as long as there is room, an arm's length apart."""
    spots: list[tuple[float, float]] = []
    half = 0.42 * camera.width / camera.k[0, 0]
    while len(spots) < count:
        for _ in range(20):
            z = float(np.sqrt(random.uniform(NEAREST**2, min(far, FARTHEST) ** 2)))
            spot = (random.uniform(-half, half) * z, z)
            if all(np.hypot(spot[0] - x, spot[1] - z) > 0.7 for x, z in spots):
                break
        spots.append(spot)
    return spots


def _body(random: np.random.Generator, spot: tuple[float, float]) -> dict[str, Doubles]:
    """Joints of someone who stands or sits, turned anyhow, arms anyhow; lengths after Drillis and Contini, 1966."""
    tall = random.uniform(1.5, 1.95)
    turn = random.uniform(-np.pi, np.pi)
    right, ahead = np.array([np.cos(turn), 0.0, np.sin(turn)]), np.array([np.sin(turn), 0.0, -np.cos(turn)])
    up = np.array([0.0, -1.0, 0.0])
    lean = _unit(up + random.normal(0.0, 0.1) * right + random.normal(0.0, 0.12) * ahead)
    sits = random.random() < 0.25
    hip = np.array([spot[0], FLOOR - (0.3 if sits else 0.52) * tall, spot[1]])
    neck = hip + 0.288 * tall * lean
    skull = neck + 0.12 * tall * _unit(lean + 0.2 * ahead)
    body = {"mid_hip": hip, "neck": neck, "chest": hip + 0.17 * tall * lean, "skull": skull}
    body["head"] = skull + 0.06 * tall * lean
    body["nose"] = skull + 0.058 * tall * ahead
    for side, sign in (("right_", 1.0), ("left_", -1.0)):
        out = sign * right
        body[side + "eye"] = skull + 0.02 * tall * up + 0.02 * tall * out + 0.05 * tall * ahead
        body[side + "ear"] = skull + 0.058 * tall * out
        body[side + "shoulder"] = neck + 0.11 * tall * out - 0.01 * tall * lean
        body[side + "hip"] = hip + 0.06 * tall * out
        upper = _unit(random.normal(0.0, 0.6, 3) + 0.5 * out - 0.7 * up)
        fore = _unit(upper + random.normal(0.0, 0.6, 3) + 0.4 * ahead)
        body[side + "elbow"] = body[side + "shoulder"] + 0.186 * tall * upper
        body[side + "wrist"] = body[side + "elbow"] + 0.146 * tall * fore
        body[side + "hand"] = body[side + "wrist"] + 0.06 * tall * fore
        thigh = _unit((ahead - 0.1 * up if sits else -up + random.normal(0.0, 0.25) * ahead) + 0.1 * out)
        shank = _unit(-up - random.uniform(0.0, 0.3) * ahead)
        body[side + "knee"] = body[side + "hip"] + 0.245 * tall * thigh
        body[side + "ankle"] = body[side + "knee"] + 0.246 * tall * shank
        body[side + "heel"] = body[side + "ankle"] - 0.02 * tall * ahead - 0.02 * tall * up
        body[side + "big_toe"] = body[side + "ankle"] + 0.12 * tall * ahead - 0.02 * tall * up
        body[side + "small_toe"] = body[side + "big_toe"] + 0.03 * tall * out
    return body


def _capsules(body: dict[str, Doubles], owner: int) -> Doubles:
    """(C, 8) both ends, radius and the index of whom it belongs to."""
    return np.array([[*body[a], *body[b], radius, owner] for a, b, radius in BODY])


def _first(rays: Doubles, capsules: Doubles, wall: float) -> tuple[Doubles, npt.NDArray[np.intp]]:
    """Depth of what rays (..., 3) with z = 1 meet first, and whose it is: -1 for the room and the counter."""
    with np.errstate(divide="ignore"):
        floor, ceiling = FLOOR / rays[..., 1], CEILING / rays[..., 1]
    depth = np.minimum(wall, np.where(rays[..., 1] > 0, floor, np.where(rays[..., 1] < 0, ceiling, np.inf)))
    owner = np.full(depth.shape, -1, np.intp)
    for capsule in capsules:
        met = _meet(rays, capsule)
        nearer = met < depth
        depth, owner = np.where(nearer, met, depth), np.where(nearer, int(capsule[7]), owner)
    return depth, owner


def _meet(rays: Doubles, capsule: Doubles) -> Doubles:
    """Depth at which rays (..., 3) from the camera meet one capsule, infinite where they pass it by."""
    a, b, radius = capsule[:3], capsule[3:6], capsule[6]
    axis = b - a
    length = float(axis @ axis)
    found = np.full(rays.shape[:-1], np.inf)
    for end in (a, b):
        found = np.minimum(found, _root((rays * rays).sum(-1), rays @ end, end @ end - radius**2)[0])
    if length > 0:
        # The cylinder: distances across the axis, where the place along it lies between the ends.
        ray_along, a_along = rays @ axis, float(a @ axis)
        square = (rays * rays).sum(-1) - ray_along**2 / length
        met, real = _root(square, rays @ a - ray_along * a_along / length, a @ a - a_along**2 / length - radius**2)
        place = np.where(real, met, 0.0) * ray_along - a_along
        found = np.where(real & (place >= 0) & (place <= length), np.minimum(found, met), found)
    return found


def _root(square: Doubles, half: Doubles, rest: float) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    """The smaller root of square t² - 2 half t + rest = 0, infinite where there is none in front of the camera."""
    inner = half * half - square * rest
    root = (half - np.sqrt(np.maximum(inner, 0.0))) / np.maximum(square, 1e-12)
    real = (inner >= 0) & (root > 0)
    return np.where(real, root, np.inf), real


def _render(capsules: Doubles, camera: CameraModel, size: tuple[int, int], wall: float) -> Floats:
    """(h, w) depth without any error, capsule by capsule where it may be seen."""
    height, width = size
    scale = np.array([camera.width / width, camera.height / height])
    rays = _rays(camera, size)
    depth = _first(rays, capsules[:0], wall)[0]
    for capsule in capsules:
        ends, radius = capsule[:6].reshape(2, 3), capsule[6]
        nearest = max(0.3, float(ends[:, 2].min()) - radius)
        margin = 1.3 * radius * camera.k[0, 0] / nearest / scale
        pixels = (camera.project(np.maximum(ends, (-np.inf, -np.inf, 0.3))) + 0.5) / scale - 0.5
        low = np.nan_to_num(np.floor(pixels.min(0) - margin), nan=0.0).clip(0, (width, height)).astype(int)
        high = np.nan_to_num(np.ceil(pixels.max(0) + margin), nan=1e6).clip(0, (width, height)).astype(int) + 1
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        depth[part] = np.minimum(depth[part], _meet(rays[part], capsule))
    return depth.astype(np.float32)


@lru_cache(maxsize=4)
def _rays(camera: CameraModel, size: tuple[int, int]) -> Doubles:
    """(h, w, 3) where the pixels of a depth image of that size look; the same array each time, to be read only."""
    height, width = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    scale = np.array([camera.width / width, camera.height / height])
    return camera.rays((np.stack([x, y], -1) + 0.5) * scale - 0.5)


def _sensed(depth: Floats, random: np.random.Generator) -> Floats:
    """What a structured-light sensor makes of it: noise that grows with the square of the depth (Nguyen, Izadi and
    Lovell, Modeling Kinect sensor noise, 2012), whole millimetres, mixed or missing values at edges, and holes."""
    spread = 0.0012 + 0.0019 * (depth - 0.4) ** 2
    noisy = depth + spread * random.standard_normal(depth.shape)
    square = np.ones((3, 3), np.uint8)
    far, near = cv2.dilate(depth, square), cv2.erode(depth, square)
    edge = far - near > 0.08
    lot = random.random(depth.shape)
    noisy = np.where(edge & (lot < 0.3), near + (far - near) * random.random(depth.shape), noisy)
    blotches = cv2.GaussianBlur(random.standard_normal(depth.shape), (0, 0), 3.0)
    lost = (edge & (lot > 0.7)) | (random.random(depth.shape) < 0.02) | (blotches > 2.2 * blotches.std())
    whole = np.rint(1e3 * noisy) * 1e-3
    return np.where(lost | (whole <= 0), np.nan, whole).astype(np.float32)


def _inside(pixels: Doubles, camera: CameraModel) -> npt.NDArray[np.bool_]:
    return np.asarray(((pixels > -0.5) & (pixels < np.array([camera.width, camera.height]) - 0.5)).all(-1))


def _unit(vector: Doubles) -> Doubles:
    return np.asarray(vector / np.linalg.norm(vector))
