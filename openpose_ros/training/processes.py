"""Which of several training processes this is, before Lightning is up."""

from __future__ import annotations

import os


def is_first() -> bool:
    """Whether this process speaks and writes for all: torchrun, Lightning and SLURM number them in the environment."""
    numbers = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next(filter(None, numbers), "0") == "0"
