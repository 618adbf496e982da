"""Troubles that a training run recognises, each with the way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.data.rendered import QUESTION_TOO_LONG, TOO_LONG
from lab.errors import InputError, LabError
from lab.runs.events import EventWriter
from lab.spec import RunSpec
from lab.text import N_

DIVERGED = N_("The training diverged: from step {step} on the loss is not a number.")
MEMORY = N_("The memory of the device is full at a batch of {batch} x {accumulation}.")
NO_ROWS = N_("No example is left to train on.")
LEFT_OUT = N_(
    "{left} of {rows} rows are left out: they are longer than {length} tokens. {count} are trained on. A larger "
    "maximum length, or cutting instead of dropping, keeps more."
)
MANY = 0.1  # share of the rows whose loss makes the run another one than was planned


def diverged(events: EventWriter, spec: RunSpec, step: int) -> LabError:
    """Report the loss that was lost at `step`, and make the error that ends the run."""
    rate = spec.schedule.learning_rate
    events.diagnosis("diverged", DIVERGED, level="error", step=step, learning_rate=rate)
    return LabError(
        DIVERGED,
        where="schedule.learning_rate",
        next=N_("Lower the learning rate from {rate:g} to {lower:g}, lengthen the warmup, or clip gradients at 1."),
        step=step,
        rate=rate,
        lower=rate / 5,
    )


def no_rows() -> InputError:
    """The error of a run whose data left nothing to learn."""
    return InputError(
        NO_ROWS,
        where="data.max_length",
        next=N_("Raise the maximum length, cut long rows instead of dropping them, or hold out a smaller share."),
    )


def tell_too_long(events: EventWriter, spec: RunSpec, report: Mapping[str, Any], count: int) -> None:
    """Note how many rows of the data were too long, of `count` that are trained on: the plan counted them all."""
    dropped, rows = report.get("dropped") or {}, report["rows"]["read"]
    left = dropped.get(TOO_LONG, 0) + dropped.get(QUESTION_TOO_LONG, 0)
    if left:
        level = "warning" if left > MANY * rows else "info"
        events.note(LEFT_OUT, level=level, left=left, rows=rows, length=spec.data.max_length, count=count)


@contextmanager
def memory_watched(events: EventWriter, spec: RunSpec) -> Iterator[None]:
    """Turn a full memory into an error that names the settings of the same effective batch in less memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        raise _memory(events, spec) from error


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, on a GPU
        return True
    words = str(error)
    return "DefaultCPUAllocator" in words and "memory" in words


def _memory(events: EventWriter, spec: RunSpec) -> LabError:
    batch, accumulation = spec.schedule.per_device_batch, spec.schedule.accumulation
    events.diagnosis("out-of-memory", MEMORY, level="error", batch=batch, accumulation=accumulation)
    if batch == 1:
        return LabError(
            MEMORY,
            where="data.max_length",
            next=N_("Switch gradient checkpointing on, or shorten the maximum length from {length} tokens."),
            batch=batch,
            accumulation=accumulation,
            length=spec.data.max_length,
        )
    return LabError(
        MEMORY,
        where="schedule.per_device_batch",
        next=N_("Take a batch of {half} and an accumulation of {double}: the same effective batch, less memory."),
        batch=batch,
        accumulation=accumulation,
        half=batch // 2,
        double=-(-batch * accumulation // (batch // 2)),
    )
