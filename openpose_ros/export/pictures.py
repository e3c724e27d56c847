"""Photos out of a folder, as what a network sees of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from openpose_ros.card import Card
from openpose_ros.export import ExportError
from openpose_ros.export.referee import network_input
from openpose_ros.media import PHOTO_SUFFIXES, read_photo
from openpose_ros.options import InputOptions
from openpose_ros.preprocess import Image, plan, prepare

_log = logging.getLogger(__name__)


class Photos:
    """The photos of a folder, sorted by name; read anew at each turn, because many do not fit into memory.

    One that cannot be read is named in a warning, once, and left out.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        """Find them.

        Args:
            folder: of the photos.
            limit: keep only so many, spread evenly.

        Raises:
            ExportError: the folder is missing or holds no photo.
        """
        if not folder.is_dir():
            raise ExportError(f"there is no folder of photos {folder}")
        found = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file() and not path.name.startswith(".")
        )
        if not found:
            raise ExportError(f"no photo in the folder {folder}; expected files such as .jpg or .png")
        places = np.linspace(0, len(found) - 1, min(limit, len(found))).round().astype(int)
        self.folder = folder
        self._paths = [found[place] for place in places]

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Image]:
        """(H, W, 3) uint8 BGR, one after the other.

        Raises:
            ExportError: none of them can be read.
        """
        for path in tuple(self._paths):
            image = read_photo(path)
            if image is not None:
                yield image
                continue
            _log.warning("%s cannot be read as a photo; left out", path)
            self._paths.remove(path)
            if not self._paths:
                raise ExportError(f"no photo in the folder {self.folder} can be read")


class Inputs:
    """Photos as a network sees them, over and over."""

    def __init__(self, photos: Photos, card: Card, options: InputOptions) -> None:
        self.photos = photos
        self._card = card
        self._options = options

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        """(1, 3, H, W) float32 each, of any H and W."""
        for image in self.photos:
            grid = plan((image.shape[0], image.shape[1]), self._options, self._card.stride)
            yield network_input(prepare([image], [grid], self._card.pad_value).images, self._card)
