"""``prepare``: photos and their labels -> tar shards that ``train`` reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well."""
    arguments = _parser().parse_args(argv)
    try:
        return _prepare(arguments)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nprepare: interrupted; the same command goes on", file=sys.stderr)
        return 130


def _prepare(arguments: argparse.Namespace) -> int:
    from openpose_ros.training.config import SourceConfig
    from openpose_ros.training.data.pack import Packer, PackOptions
    from openpose_ros.training.data.report import Report, show
    from openpose_ros.training.data.sources import records

    options = PackOptions(arguments.short_side, arguments.quality, arguments.shard_megabytes, arguments.keep_empty)
    source = SourceConfig(type="photos", images=str(arguments.images or ""))
    if arguments.lmdb or arguments.hdf5:
        source.type, source.annotations = ("lmdb" if arguments.lmdb else "hdf5"), str(arguments.lmdb or arguments.hdf5)
    elif arguments.tfrecord:
        source.type, source.shards = "tfrecord", list(map(str, arguments.tfrecord))
    elif arguments.annotations:
        source.type, source.annotations = "coco", str(arguments.annotations)
    elif arguments.yolo_labels:
        source.type, source.annotations = "yolo", str(arguments.yolo_labels)
        if arguments.yolo_boxes:
            source.settings = {"boxes": str(arguments.yolo_boxes)}
    found = Report(arguments.name)
    about = " ".join(
        [source.type, source.images, source.annotations, *source.shards, *source.settings.values()]
    ).strip()
    rows = list(records(source, found))
    packer = Packer(rows, about, arguments.output, arguments.name, options, arguments.threads)
    with tqdm(total=len(rows), initial=packer.done, unit="photo", disable=not sys.stderr.isatty()) as bar:
        found.add(packer.pack(bar.update))
    print(show([found]))
    size = sum(shard.bytes for shard in packer.shards)
    last = len(packer.shards) - 1
    print(f"{len(packer.shards)} shards, {size / 1e6:.1f} MB, in {arguments.output}; in a training's configuration:")
    braces = f"{{000000..{last:06d}}}" if last > 0 else "000000"
    print(f"  {{type: shards, name: {arguments.name}, shards: ['{arguments.output}/{arguments.name}-{braces}.tar']}}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="prepare",
        description="Pack photos and their labels into tar shards that train reads, shrunk if wanted. Photos come from "
        "a folder, or with their labels from a file that an older project prepared. What cannot be used is counted "
        "and named. The same command goes on after an interruption.",
    )
    photos = parser.add_mutually_exclusive_group(required=True)
    photos.add_argument("--images", type=Path, help="folder of photos")
    photos.add_argument("--lmdb", type=Path, help="LMDB that CMU's scripts prepared; needs lmdb")
    photos.add_argument("--hdf5", type=Path, help="HDF5 file that the Keras reproductions prepared; needs h5py")
    photos.add_argument("--tfrecord", type=Path, nargs="+", help="TFRecords that the TensorFlow 2 project prepared")
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument("--annotations", type=Path, help="COCO person_keypoints JSON; without labels: none")
    labels.add_argument("--yolo-labels", type=Path, help="folder of YOLO-pose texts, one beside each labelled photo")
    parser.add_argument("--yolo-boxes", type=Path, help="folder of YOLO texts with the boxes of all people")
    parser.add_argument("--output", required=True, type=Path, help="folder for the shards and their index")
    parser.add_argument("--name", default="photos", help="beginning of their names (photos)")
    parser.add_argument("--short-side", type=int, default=0, help="shrink larger photos to so many pixels (0: never)")
    parser.add_argument("--quality", type=int, default=90, help="of the JPEGs that are made, 1 to 100 (90)")
    parser.add_argument("--shard-megabytes", type=float, default=60.0, help="about how large a shard gets (60)")
    parser.add_argument("--keep-empty", type=float, default=1.0, help="share of the photos of nobody to keep (1)")
    parser.add_argument("--threads", type=int, default=2, help="photos at a time (2)")
    return parser
