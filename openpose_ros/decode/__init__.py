"""Decode: Fields -> People. Three steps a frame takes, each a function of its inputs: peaks, limbs, assemble."""

from __future__ import annotations

from openpose_ros.decode.decoder import Candidates, candidates, decode, people
from openpose_ros.decode.score import PersonScore, evidence, load_person_score

__all__ = ["Candidates", "PersonScore", "candidates", "decode", "evidence", "load_person_score", "people"]
