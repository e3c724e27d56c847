"""Any skeleton goes all the way: card, network, training targets, decoder, picture, JSON and messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

torch = pytest.importorskip("torch")

from openpose_ros.card import Card
from openpose_ros.decode.decoder import decode
from openpose_ros.draw import draw
from openpose_ros.grid import Grid
from openpose_ros.networks import build
from openpose_ros.options import DecodeOptions
from openpose_ros.people import People
from openpose_ros.render import render
from openpose_ros.skeleton import SKELETONS, Skeleton

OWN = Skeleton.from_mapping(
    {
        "name": "climber",
        "joints": ["helmet", "harness", "left_hand", "right_hand", "left_foot", "right_foot", "anchor"],
        "limbs": [
            ["helmet", "harness"],
            ["harness", "left_hand"],
            ["harness", "right_hand"],
            ["harness", "left_foot"],
            ["harness", "right_foot"],
            ["harness", "anchor"],
        ],
        "sigmas": {"anchor": 0.03},
    }
)

every = pytest.mark.parametrize("skeleton", [*SKELETONS.values(), OWN], ids=lambda skeleton: skeleton.name)


def crowd(skeleton: Skeleton, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Two people (2, J, 2), every joint of whom lies apart from all others."""
    joints = len(skeleton.joints)
    columns = 6
    places = np.array([(45.0 + 55 * (n % columns), 45.0 + 62 * (n // columns)) for n in range(joints)])
    order = np.random.default_rng(1).permutation(joints)
    people = np.stack([places[order], places[order] + (0.0, 330.0)])
    assert people.max() < max(size)
    return people


@every
def test_a_card_builds_a_network_that_answers_for_it(skeleton: Skeleton, tmp_path: Path) -> None:
    card = {"name": "own", "network": {"type": "openpose"}, "skeleton": "skeleton.yaml"}
    (tmp_path / "skeleton.yaml").write_text(yaml.safe_dump(skeleton.to_mapping()))
    (tmp_path / "own.card.yaml").write_text(yaml.safe_dump(card))
    read = Card.load(tmp_path / "own.card.yaml")
    assert read.skeleton == skeleton
    read.save(tmp_path / "again.yaml")
    assert Card.load(tmp_path / "again.yaml").skeleton == skeleton
    with torch.device("meta"):
        heatmaps, pafs = build(read)(torch.zeros(1, 3, 16, 16))[-1].both()
    assert heatmaps.shape[1] == len(skeleton.joints) + 1
    assert pafs.shape[1] == 2 * len(skeleton.limbs)


@every
def test_training_draws_its_targets(skeleton: Skeleton) -> None:
    pytest.importorskip("omegaconf", reason="needs OmegaConf")
    from openpose_ros.training.batch import Batch
    from openpose_ros.training.config import TargetConfig
    from openpose_ros.training.targets import Targets

    size = (704, 368)
    people = crowd(skeleton, size)
    batch = Batch(
        images=torch.zeros(1, 3, *size, dtype=torch.uint8),
        joints=torch.from_numpy(people[None].astype(np.float32)),
        mask=torch.ones(1, size[0] // 8, size[1] // 8),
        labelled=torch.ones(1, len(skeleton.joints), dtype=torch.bool),
        keys=("crop",),
        seeds=torch.zeros(1, dtype=torch.int64),
        photos=("photo",),
    )
    drawn = Targets(skeleton, 8, TargetConfig())(batch)
    expected = render(people, Grid(*size, *size, *size, 8), skeleton, sigma=7.0, width=1.0)
    np.testing.assert_allclose(drawn.heatmaps[0], expected.heatmaps[0], atol=1e-4)
    np.testing.assert_allclose(drawn.pafs[0].unflatten(0, (-1, 2)), expected.pafs[0], atol=1e-4)


@every
def test_people_are_decoded_drawn_and_written(
    skeleton: Skeleton, same_people: Callable[[People, npt.NDArray[np.float64], float], None]
) -> None:
    size = (704, 368)
    truth = crowd(skeleton, size)
    (people,) = decode(render(truth, Grid(*size, *size, *size, 8), skeleton), DecodeOptions())
    same_people(people, truth, 0.5)
    image = np.zeros((*size, 3), np.uint8)
    picture = draw(image, people)
    x, y = people.xy[0, 0].round().astype(int)
    assert picture[y, x].any()
    written: dict[str, Any] = people.to_openpose_json()
    assert len(written["people"][0]["pose_keypoints_2d"]) == 3 * len(skeleton.joints)


@every
def test_messages_say_what_the_keypoints_are(skeleton: Skeleton) -> None:
    pytest.importorskip("openpose_msgs.msg", reason="needs openpose_msgs to be built")
    from std_msgs.msg import Header

    from openpose_ros.ros.messages import PeopleMessage, skeleton_message

    truth = crowd(skeleton, (704, 368))
    people = People.from_arrays(skeleton, truth, (704, 368))
    message = PeopleMessage(skeleton).fill(people, Header())
    assert message.skeleton == skeleton.name
    assert [(keypoint.x, keypoint.y) for keypoint in message.people[1].keypoints] == [tuple(at) for at in truth[1]]
    about = skeleton_message(skeleton)
    assert list(about.joints) == list(skeleton.joints)
    assert len(about.limbs) == 2 * len(skeleton.limbs)
