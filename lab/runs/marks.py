"""What supervisor and shim leave in an attempt's folder; each is written atomically by exactly one of them.

lock        held by whoever is alive: supervisor, then shim, then worker and its children
start.json  {"start": warm or cold, "why", "asked"}: written by the supervisor before it sets anybody to work
shim.json   {"shim", "worker"}: who is at work; written by the shim once the worker has started
exit.json   {"code", "signal", "out_of_memory", "seconds", "peak_memory_gib", "cpu_s"}: written by the shim, last
error.json  the worker's own error, as `LabError.as_dict` gives it
abandoned   the supervisor gave this attempt up; a shim that starts late sees it and ends
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lab.json_io import read_json, write_json
from lab.runs.directory import RunDirectory
from lab.runs.locks import is_held
from lab.runs.outcome import Ending


def is_alive(attempt: Path) -> bool:
    """Whether any process of this attempt lives."""
    return is_held(attempt / "lock")


def exit_of(attempt: Path) -> dict[str, Any] | None:
    """What the shim saw when the worker ended; None while it has not."""
    return read_json(attempt / "exit.json")


def note_start(attempt: Path, *, warm: bool, why: str, asked: float) -> None:
    """Keep whether the standby takes the attempt, else why not, and the unix seconds at which it was asked for."""
    write_json(attempt / "start.json", {"start": "warm" if warm else "cold", "why": why, "asked": asked})


def start_of(attempt: Path) -> dict[str, Any]:
    """How the attempt was started; empty when nobody wrote it down."""
    return read_json(attempt / "start.json") or {}


def abandon(attempt: Path) -> None:
    """Mark an attempt that nobody lives in, so that a late shim leaves it alone."""
    write_json(attempt / "abandoned", {})


def ending_of(directory: RunDirectory, attempt: int, wish: str | None) -> Ending:
    """Everything that is known about how an attempt ended, for `lab.runs.outcome.classify`."""
    folder = directory.attempt_path(attempt)
    seen = exit_of(folder) or {}
    result = directory.result
    return Ending(
        kind=directory.kind,
        result=result if result and result.get("attempt") == attempt else None,
        error=directory.error(attempt),
        code=seen.get("code"),
        signal=seen.get("signal"),
        out_of_memory=bool(seen.get("out_of_memory")),
        sealed=bool(directory.sealed_checkpoints()),
        wish=wish,
    )


def keep_state(directory: RunDirectory, state: str, attempt: int, reason: dict[str, Any] | None) -> None:
    """Keep how a run ended beside its files, so that the data base can be made again from them."""
    record = {"state": state, "attempt": attempt, "reason": reason, "ended": time.time()}
    write_json(directory.path / "state.json", record)
