"""Any exception of a worker as a sentence that a person can act on."""

from __future__ import annotations

import errno
from pathlib import Path

from lab.errors import LabError
from lab.text import N_

# torch and safetensors report a full disk in their own words (measured by filling one).
_DISK_WORDS = ("no space left on device", "unexpected pos")


def as_lab_error(error: BaseException, folder: Path) -> LabError:
    """The error as the lab tells it; `folder` is where the worker writes."""
    if isinstance(error, LabError):
        return error
    text = str(error).strip()
    if _is_full_disk(error, text):
        return LabError(
            N_("The disk of {path} is full."),
            where=str(folder),
            next=N_("Free some space and resume the run: sealed checkpoints are still good."),
            path=folder,
        )
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return LabError(
            N_("There was not enough memory: {what}."),
            next=N_("Halve the batch per device and double the accumulation: the effective batch stays the same."),
            what=_first_line(text) or type(error).__name__,
        )
    return LabError(
        N_("The worker failed: {what}."),
        next=N_("The log has the details."),
        what=f"{type(error).__name__}: {_first_line(text)}" if text else type(error).__name__,
    )


def _is_full_disk(error: BaseException, text: str) -> bool:
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(
        words in text.lower() for words in _DISK_WORDS
    )


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip(".")[:300]
