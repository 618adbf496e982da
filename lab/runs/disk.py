"""Whether the disk has room for a run, asked before the run is accepted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.text import N_

if TYPE_CHECKING:
    from lab.spec import RunSpec

GIB = 2**30
SPARE = 64 * 2**20  # log, events, TensorBoard, and what others write meanwhile
BYTES_PER_TRAINED = 12  # fp32 weight and the two fp32 moments of Adam, in each checkpoint
MARGIN = 1.2


def free_bytes(path: str | Path) -> int:
    """Bytes that an ordinary user may still write on the disk of `path`."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def needed_bytes(spec: RunSpec, plan: dict[str, Any]) -> int:
    """An estimate of what a training writes: its checkpoints, one more while it is being written, and the
    result.

    Source: a checkpoint holds the trained parameters and Adam's moments, measured with transformers' Trainer.
    """
    trained = int((plan.get("trainable") or {}).get("parameters") or 0)
    checkpoints = (spec.checkpoints.keep + 1) * trained * BYTES_PER_TRAINED
    final = trained * 4
    return int((checkpoints + final) * MARGIN) + SPARE


def require_room(path: str | Path, needed: int) -> None:
    """Raise LabError, naming the disk and both sizes, when `needed` bytes do not fit."""
    free = free_bytes(path)
    if free >= needed:
        return
    raise LabError(
        N_("The disk of {path} has {free} GiB free; this needs about {needed} GiB."),
        where=str(path),
        next=N_("Free some space, delete old runs, or point LAB_HOME to another disk."),
        path=path,
        free=f"{free / GIB:.2f}",
        needed=f"{needed / GIB:.2f}",
    )
