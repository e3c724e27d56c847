"""Decode: Fields -> People. Three steps a frame takes, each a function of its inputs: peaks, limbs, assemble."""

from __future__ import annotations

from openpose_ros.decode.decoder import Candidates, candidates, decode, joint_candidates, people
from openpose_ros.decode.score import PersonScore, evidence, load_person_score

__all__ = [
    "Candidates",
    "PersonScore",
    "candidates",
    "decode",
    "evidence",
    "joint_candidates",
    "load_person_score",
    "people",
]
