"""Rows of lab.db as objects."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunRow:
    """One run as the data base knows it; times are unix seconds.

    `wish` is what a person asked for while it ran: stop (and keep), discard, or None. `reason` is
    {"template", "values"}.
    """

    id: str
    kind: str
    lane: str
    name: str
    state: str
    version: int
    attempt: int
    short: bool
    parent: str | None
    wish: str | None
    reason: dict[str, Any] | None
    created: float
    queued: float
    started: float | None
    ended: float | None


@dataclass(frozen=True)
class Intent:
    """What somebody wants the supervisor to do with a run: stop, discard or resume."""

    id: int
    run: str
    kind: str


def row_of(found: sqlite3.Row) -> RunRow:
    """The run in a row of the table `run`."""
    record = {key: found[key] for key in found.keys() if key != "key"}  # noqa: SIM118  # a Row iterates over values
    reason = json.loads(record["reason"]) if record["reason"] else None
    return RunRow(**record | {"short": bool(record["short"]), "reason": reason})
