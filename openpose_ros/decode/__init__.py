"""Decode: Fields -> People. Three steps a frame takes, each a function of its inputs: peaks, limbs, assemble."""

from __future__ import annotations

from openpose_ros.decode.decoder import Candidates, candidates, decode, people

__all__ = ["Candidates", "candidates", "decode", "people"]
