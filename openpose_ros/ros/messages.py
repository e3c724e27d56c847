"""People -> openpose_msgs/People and back, Skeleton -> openpose_msgs/Skeleton.

What it costs to fill 20 people of 18 joints (Python 3.11, Jazzy; in brackets with ROS_PYTHON_CHECK_FIELDS=1): new
messages by keyword constructors 1.0 ms (2.2), by setters 0.8 ms (1.6), the same Keypoint objects over and over by
setters 0.11 ms (0.15), by writing their private slots 0.05 ms (0.05), the wire format written by NumPy 0.01 ms.
Serialising takes 0.45 ms in every case but the last. PeopleMessage uses the setters of kept objects: only public
interfaces, and the field checks stay on.
"""

from __future__ import annotations

import array
import math

import numpy as np
from geometry_msgs.msg import Point32
from openpose_msgs import msg
from std_msgs.msg import Header

from openpose_ros.people import People
from openpose_ros.skeleton import Skeleton, load_skeleton


class PeopleMessage:
    """Fills one openpose_msgs/People over and over; for one thread. Keeps as many persons as it ever needed."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._message = msg.People(skeleton=skeleton.name)
        self._persons: list[msg.Person] = []
        self._has_positions = False

    def fill(self, people: People, header: Header) -> msg.People:
        """The message of ``people``. It is good until the next call: publish it, or copy it."""
        while len(self._persons) < len(people):
            self._persons.append(_empty_person(len(self._skeleton.joints)))
        message = self._message
        message.header = header
        message.image_height, message.image_width = people.image_size
        message.people = self._persons[: len(people)]
        # tolist() makes Python's own numbers: a NumPy scalar in a field aborts the process or is sent as nonsense.
        rows = zip(
            message.people, people.id.tolist(), people.person_score.tolist(), people.xy.tolist(),
            people.score.tolist(), people.state.tolist(), strict=True,
        )  # fmt: skip
        for person, identity, whole, places, scores, states in rows:
            person.id = identity
            person.score = whole
            for keypoint, (x, y), score, state in zip(person.keypoints, places, scores, states, strict=True):
                keypoint.x = x
                keypoint.y = y
                keypoint.score = score
                keypoint.state = state
        self._fill_positions(people)
        return message

    def _fill_positions(self, people: People) -> None:
        if people.xyz is not None:
            positions = people.xyz.tolist()
            persons = self._message.people
        elif self._has_positions:
            # Every person that is kept forgets where it was, not only those of this image.
            positions = [[[math.nan] * 3] * len(self._skeleton.joints)] * len(self._persons)
            persons = self._persons
        else:
            return
        self._has_positions = people.xyz is not None
        for person, places in zip(persons, positions, strict=True):
            for keypoint, (x, y, z) in zip(person.keypoints, places, strict=True):
                keypoint.position.x = x
                keypoint.position.y = y
                keypoint.position.z = z


def people_from(message: msg.People, skeleton: Skeleton | None = None) -> People:
    """The people of a message; without a ``skeleton``, one that is not built in is a ValueError."""
    skeleton = skeleton or load_skeleton(message.skeleton)
    shape = (len(message.people), len(skeleton.joints))
    joints = [keypoint for person in message.people for keypoint in person.keypoints]
    xyz = np.array([(k.position.x, k.position.y, k.position.z) for k in joints], np.float32).reshape(*shape, 3)
    return People(
        skeleton,
        xy=np.array([(k.x, k.y) for k in joints], np.float32).reshape(*shape, 2),
        score=np.array([k.score for k in joints], np.float32).reshape(shape),
        state=np.array([k.state for k in joints], np.uint8).reshape(shape),
        person_score=np.array([person.score for person in message.people], np.float32),
        image_size=(message.image_height, message.image_width),
        id=np.array([person.id for person in message.people], np.int32),
        xyz=xyz if np.isfinite(xyz).any() else None,
    )


def skeleton_message(skeleton: Skeleton) -> msg.Skeleton:
    """The message that says what the keypoints mean."""
    limbs = array.array("B", [joint for limb in skeleton.limbs for joint in limb])
    return msg.Skeleton(name=skeleton.name, joints=list(skeleton.joints), limbs=limbs)


def _empty_person(joints: int) -> msg.Person:
    return msg.Person(
        keypoints=[
            msg.Keypoint(x=math.nan, y=math.nan, position=Point32(x=math.nan, y=math.nan, z=math.nan))
            for _ in range(joints)
        ]
    )
