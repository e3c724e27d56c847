"""A calibrated camera: from a pixel to the direction it looks in, and back.

The models are those of sensor_msgs/CameraInfo. ``plumb_bob`` and ``rational_polynomial`` are one polynomial (Brown,
Decentering distortion of lenses, 1966; the rational form as in OpenCV's calib3d), ``equidistant`` is the fisheye model
of Kannala and Brandt (A generic camera model, 2006). Their inverses have no formula; Newton's method finds them at
the border of the image too, where the usual few fixed-point steps are pixels away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Bent = tuple[Doubles, tuple[Doubles, Doubles, Doubles]]
"""(2, N) distorted x, y, and the derivatives dx'/dx, dx'/dy (which is dy'/dx too) and dy'/dy, (N,) each."""

POLYNOMIAL = ("plumb_bob", "rational_polynomial")
FISHEYE = "equidistant"
STRAIGHT = ("", "none")

STEPS = 30
"""Most Newton steps. Four to six are the rule; this many are needed next to where a polynomial folds back."""

EXACT = 1e-6
"""Focal lengths, below a thousandth of a pixel: how well a direction must meet its pixel again."""


@dataclass(frozen=True, eq=False)
class CameraModel:
    """Intrinsic calibration of one image. Pixels count from the centre of the upper left one.

    Attributes:
        width, height: size in pixels of the image that the calibration describes.
        k: (3, 3) focal lengths, skew and principal point in pixels.
        d: (n,) coefficients of the distortion: k1, k2, p1, p2[, k3[, k4, k5, k6]] of the polynomial, k1 to k4 of the
            fisheye; empty where nothing is distorted.
        distortion_model: ``plumb_bob``, ``rational_polynomial``, ``equidistant``, or ``none`` (or empty) for none.

    Raises:
        ValueError: an uncalibrated camera, or numbers that describe none; the text says which.
    """

    width: int
    height: int
    k: Doubles
    d: Doubles = field(default_factory=lambda: np.zeros(0))
    distortion_model: str = "none"

    def __post_init__(self) -> None:
        k, d = np.array(self.k, np.float64), np.array(self.d, np.float64).reshape(-1)
        if k.shape != (3, 3):
            raise ValueError(f"the camera matrix has shape {k.shape}; expected (3, 3)")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"the calibration is for {self.width}x{self.height} pixels; expected those of the image")
        if not k.any():
            raise ValueError("the camera is not calibrated: its matrix is all zero; calibrate it to get directions")
        if not np.isfinite(k).all() or min(k[0, 0], k[1, 1]) <= 0 or k[1, 0] or k[2].tolist() != [0.0, 0.0, 1.0]:
            raise ValueError(
                f"the camera matrix is {k.ravel().tolist()}; expected fx, skew, cx, 0, fy, cy, 0, 0, 1 with fx and fy "
                "above 0"
            )
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "d", d)
        self._check_distortion()

    def rays(self, xy: npt.ArrayLike) -> Doubles:
        """Directions in which pixels look.

        Args:
            xy: (..., 2) x, y in pixels, inside the image or not.

        Returns:
            (..., 3) x right, y down, z forward (REP 103, optical frame), z = 1; NaN where ``xy`` is NaN and where no
            direction leads to the pixel: outside a fisheye's half space, or beyond the fold of a polynomial.
        """
        pixels = np.asarray(xy, np.float64)
        y = (pixels[..., 1] - self.k[1, 2]) / self.k[1, 1]
        x = (pixels[..., 0] - self.k[0, 2] - self.k[0, 1] * y) / self.k[0, 0]
        rays = np.ones((*pixels.shape[:-1], 3))
        seen = np.stack([x.ravel(), y.ravel()])
        with np.errstate(all="ignore"):  # NaN, and points where a step is not defined, come out as NaN
            straight = self._straighten(seen)
        rays[..., :2] = straight.T.reshape(pixels.shape)
        rays[np.isnan(rays).any(-1)] = np.nan
        return rays

    def project(self, xyz: npt.ArrayLike) -> Doubles:
        """(..., 3) places in the optical frame -> (..., 2) x, y in pixels; NaN for NaN and for what is not in front."""
        places = np.asarray(xyz, np.float64)
        depth = np.where(places[..., 2] > 0, places[..., 2], np.nan)
        flat = np.stack([(places[..., 0] / depth).ravel(), (places[..., 1] / depth).ravel()])
        with np.errstate(all="ignore"):
            x, y = self._bend(flat)
        pixels = np.stack([self.k[0, 0] * x + self.k[0, 1] * y + self.k[0, 2], self.k[1, 1] * y + self.k[1, 2]], -1)
        return pixels.reshape(*places.shape[:-1], 2)

    def _check_distortion(self) -> None:
        allowed = {**dict.fromkeys(POLYNOMIAL, (0, 4, 5, 8)), FISHEYE: (0, 4), **dict.fromkeys(STRAIGHT, (0,))}
        if self.distortion_model not in allowed:
            known = ", ".join((*POLYNOMIAL, FISHEYE, "none"))
            raise ValueError(f"the distortion model is {self.distortion_model!r}; expected one of {known}")
        if not np.isfinite(self.d).all():
            raise ValueError(f"the distortion coefficients are {self.d.tolist()}; expected finite numbers")
        counts = allowed[self.distortion_model]
        if len(self.d) not in counts and (self.d.any() or self.distortion_model not in STRAIGHT):
            raise ValueError(
                f"the distortion model {self.distortion_model!r} comes with {len(self.d)} coefficients; expected "
                f"{' or '.join(map(str, counts))}"
            )

    @property
    def _distorts(self) -> bool:
        """A fisheye does even where its coefficients are zero: its radius is the angle, not the tangent."""
        return bool(self.d.any()) or self.distortion_model == FISHEYE

    def _bend(self, flat: Doubles) -> Doubles:
        """(2, N) where a straight lens would see points, in focal lengths -> where this one does."""
        if not self._distorts:
            return flat
        if self.distortion_model != FISHEYE:
            return _polynomial(flat, self.d)[0]
        radius = np.hypot(*flat)
        angle = np.arctan(radius)
        return np.asarray(flat * np.where(radius > 0, _fisheye(angle, self.d)[0] / radius, 1.0))

    def _straighten(self, seen: Doubles) -> Doubles:
        """Inverse of :meth:`_bend`, NaN where there is none."""
        if not self._distorts:
            return seen
        if self.distortion_model != FISHEYE:
            return _newton(lambda flat: _polynomial(flat, self.d), seen)
        radius = np.hypot(*seen)
        angle = radius
        for _ in range(STEPS):
            bent, slope = _fisheye(angle, self.d)
            off = bent - radius
            if not (np.abs(off) > EXACT).any():
                break
            angle = angle - off / slope
        found = (np.abs(off) <= EXACT) & (slope > 0) & (angle < np.pi / 2)
        return np.asarray(seen * np.where(found, np.where(radius > 0, np.tan(angle) / radius, 1.0), np.nan))


def _fisheye(angle: Doubles, d: Doubles) -> tuple[Doubles, Doubles]:
    """Radius in the image of rays at an angle to the axis, in focal lengths, and its derivative."""
    k1, k2, k3, k4 = d if len(d) else np.zeros(4)
    a = angle * angle
    radius = angle * (1 + a * (k1 + a * (k2 + a * (k3 + a * k4))))
    return radius, 1 + a * (3 * k1 + a * (5 * k2 + a * (7 * k3 + a * 9 * k4)))


def _polynomial(flat: Doubles, d: Doubles) -> Bent:
    k1, k2, p1, p2, k3, k4, k5, k6 = np.concatenate([d, np.zeros(8 - len(d))])
    x, y = flat
    a = x * x + y * y
    above, below = 1 + a * (k1 + a * (k2 + a * k3)), 1 + a * (k4 + a * (k5 + a * k6))
    radial = above / below
    slope = (k1 + a * (2 * k2 + a * 3 * k3) - radial * (k4 + a * (2 * k5 + a * 3 * k6))) / below
    tangential = 2 * (p1 * y + p2 * x)
    bent = flat * (radial + tangential) + np.array([[p2], [p1]]) * a
    dx = radial + 2 * x * x * slope + tangential + 4 * p2 * x
    dy = radial + 2 * y * y * slope + tangential + 4 * p1 * y
    return bent, (dx, 2 * (x * y * slope + p1 * x + p2 * y), dy)


def _newton(bend: Callable[[Doubles], Bent], seen: Doubles) -> Doubles:
    """(2, N) points that ``bend`` takes to those seen, NaN where the search ends elsewhere or behind a fold.

    From the seen point itself the search comes to the solution nearest to the centre, the one that the lens means.
    """
    flat = seen
    for _ in range(STEPS):
        bent, (dx, cross, dy) = bend(flat)
        off = bent - seen
        area = dx * dy - cross * cross
        if not (np.abs(off) > EXACT).any():
            break
        flat = flat - np.stack([dy * off[0] - cross * off[1], dx * off[1] - cross * off[0]]) / area
    found = (np.abs(off).max(0) <= EXACT) & (dx > 0) & (area > 0)
    return np.where(found, flat, np.nan)
