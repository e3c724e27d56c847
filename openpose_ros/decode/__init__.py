"""Decode: Fields -> People. Three steps a frame takes, each a function of its inputs: peaks, limbs, assemble."""

from __future__ import annotations

from openpose_ros.decode.decoder import (
    Candidates,
    Underway,
    begin,
    candidates,
    decode,
    forget_memory,
    joint_candidates,
    page_locked,
    people,
)
from openpose_ros.decode.score import PersonScore, evidence, load_person_score

__all__ = [
    "Candidates",
    "PersonScore",
    "Underway",
    "begin",
    "candidates",
    "decode",
    "evidence",
    "forget_memory",
    "joint_candidates",
    "load_person_score",
    "page_locked",
    "people",
]
