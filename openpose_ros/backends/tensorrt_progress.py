"""How far the building of an engine is: written by whoever builds, read by nodes that run without it meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path

from openpose_ros.backends.tensorrt_engine import folder
from openpose_ros.weights.store import replacing

BUILDING = "building-"
"""Beginning of the name of a build's folder; the number of its process follows."""

SAID = "said.json"


def say(room: Path, card: str, text: str) -> None:
    """Leave a word on the build of a card's engine in its folder."""
    with replacing(room / SAID) as temporary:
        temporary.write_text(json.dumps({"card": card, "text": text}))


def heard(card: str) -> str:
    """The last word on the build of a card's engine that goes on now on this machine; empty where there is none."""
    for path in sorted(folder().glob(f"{BUILDING}*-*/{SAID}")):
        try:
            word = json.loads(path.read_text())
        except (OSError, ValueError):  # it has just ended
            continue
        if word.get("card") == card and alive(owner(path.parent)):
            return f"being built: {word['text']}"
    return ""


def owner(room: Path) -> int:
    """The process that a build's folder belongs to; 0 when its name does not say."""
    number = room.name.removeprefix(BUILDING).partition("-")[0]
    return int(number) if number.isdigit() else 0


def alive(process: int) -> bool:
    """Whether there is such a process; another container's cannot be seen."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0
