"""Occlusion: a person cut out of another photo of the same source and pasted over a crop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openpose_ros.training.data.centres import Centre
from openpose_ros.training.data.picture import PhotoError
from openpose_ros.training.data.regions import paint

if TYPE_CHECKING:
    from openpose_ros.preprocess import Image
    from openpose_ros.training.data.crop import Cropper, Donor, Mask, Matrix
    from openpose_ros.training.data.sample import Floats

SIZE = (0.7, 1.3)
"""Range of the pasted person's height, as a multiple of that of the crop's own."""

APART = 0.5
"""The pasted person's middle lies up to this share of the height away, either way: over or beside the other."""


def paste(
    cropper: Cropper,
    image: Image,
    joints: Floats,
    mask: Mask,
    centre: Centre,
    matrix: Matrix,
    donor: Donor,
    generator: np.random.Generator,
) -> tuple[Image, Floats, Mask]:
    """The crop with one more person, or as it was where none could be had.

    The newcomer's joints are labelled like everybody's. Joints that they cover stay labelled, as COCO's annotators
    label hidden joints whose place they can tell (v = 1): a network shall find a half-hidden body whole. Where the
    newcomer stands the loss counts, even if the crop ignored that place.
    """
    found = donor(generator)
    share, across, down = generator.uniform(*SIZE), *generator.uniform(-APART, APART, 2)
    flipped = bool(generator.random() < cropper.crop.flip)
    if found is None:
        return image, joints, mask
    from openpose_ros.training.data.crop import checked_size

    sample, person = found
    outline = sample.outlines[person]
    left, top, right, bottom = sample.boxes[person].astype(float)
    if outline is None:
        return image, joints, mask
    linear = matrix[:, :2]
    scale = float(np.sqrt(abs(np.linalg.det(linear))))
    tall = centre.height * scale if not centre.whole else cropper.crop.person * cropper.crop.height
    factor = share * tall / max(bottom - top, (right - left) / 2.0)
    middle = linear @ (centre.x, centre.y) + matrix[:, 2] if not centre.whole else np.array(mask.shape[::-1]) / 2.0
    middle = middle + tall * np.array([across, down])
    turned = np.diag([-factor if flipped else factor, factor])
    place = np.column_stack([turned, middle - turned @ ((left + right) / 2.0, (top + bottom) / 2.0)])
    cut = np.zeros_like(mask)
    paint(cut, outline, place, 1)
    try:
        data = sample.picture.read()
        checked_size(sample, data)
        pixels = cropper.warped(data, place)
    except PhotoError:
        return image, joints, mask
    newcomer = sample.people[person] @ turned.T + place[:, 2]
    if flipped:
        newcomer = newcomer[cropper.mirrored]
    inside = cut > 0
    mask = mask.copy()
    mask[inside] = 1
    together = np.concatenate([joints, newcomer[None].astype(np.float32)])
    return np.where(inside[..., None], pixels, image), together, mask
