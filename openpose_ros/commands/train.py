"""``train``: teach a network on annotated photos; an interrupted run goes on where it was."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLE = """\
examples:
  train -c config/train/coco.yaml name=first
  train -c base.yaml -c mine.yaml name=second optimiser.rate=1e-4
  train -c runs/second/config.yaml                 goes on after an interruption
  train -c mine.yaml name=check --overfit 4        can it learn four photos by heart?
  torchrun --nproc-per-node 4 -m openpose_ros train -c mine.yaml name=big devices=4

A run lives in runs/<name>: config.yaml (complete), checkpoints/, metrics.jsonl, TensorBoard's curves and pictures, and
at the end model/ with weights and card. The same command again goes on from the newest checkpoint.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the executable; the exit code is 0 when all went well, 128 + the signal when one ended it."""
    arguments = _parser().parse_intermixed_args(argv)
    try:
        from openpose_ros.training.config import load, show
        from openpose_ros.training.processes import is_first

        # Of several processes only the first one speaks, unless something is wrong.
        level = logging.INFO if is_first() else logging.WARNING
        logging.basicConfig(format="%(message)s", level=level, stream=sys.stderr)

        words = [*arguments.settings, *([f"overfit={arguments.overfit}"] if arguments.overfit else [])]
        config = load(arguments.config, words)
        if arguments.show:
            print(show(config), end="")
            return 0
        from openpose_ros.training import run
        from openpose_ros.training.replay import replay

        if arguments.replay:
            print(replay(config, arguments.replay))
            return 0
        if arguments.export:
            print(run.exported(config, arguments.export))
            return 0
        outcome = run.train(config)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2 if type(error).__name__ == "ConfigError" else 1
    except RuntimeError as error:
        if type(error).__name__ != "NotFiniteError":
            raise
        print(f"train: {error}", file=sys.stderr)
        return 1
    if outcome.interrupted:
        print(f"train: interrupted; the same command goes on from {outcome.folder / 'checkpoints'}", file=sys.stderr)
        return 128 + outcome.interrupted
    if outcome.card:
        print(f"the network is {outcome.card}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train",
        description="Teach a network on annotated photos; an interrupted run goes on where it was.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", action="append", default=[], metavar="FILE", help="YAML; later files win")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings that win over all files")
    parser.add_argument("--overfit", type=int, metavar="N", help="learn and validate only N photos, unchanged")
    parser.add_argument("--show", action="store_true", help="print the merged configuration and end")
    parser.add_argument("--export", type=Path, metavar="CHECKPOINT", help="write weights and card of a checkpoint")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="repeat the step whose loss was no number")
    return parser
