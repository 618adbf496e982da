"""Asking exactly the process that was meant to stop."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from lab.runs.procs import Process

GRACE_S = 120.0  # a worker finishes its optimizer step and seals a checkpoint


def grace_s() -> float:
    """Seconds between asking a worker to stop and ending it; LAB_STOP_GRACE_S changes them."""
    return float(os.environ.get("LAB_STOP_GRACE_S") or GRACE_S)


class StopRequests:
    """Which attempts were asked to stop, and when.

    The shim is asked, which asks the worker and ends it after the grace time. If somebody killed the shim,
    the same is done to the worker from here. A supervisor that was restarted asks again, which changes
    nothing.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[Path, str], float] = {}

    def make(self, attempt: Path, at_work: dict[str, Any]) -> None:
        """Ask for the attempt's end, or go on from having asked."""
        if self._ask(attempt, "shim", at_work):
            return
        alive = self._ask(attempt, "worker", at_work)
        if alive and time.monotonic() - self._asked[attempt, "worker"] > grace_s():
            _send(Process.from_record(at_work.get("worker")), signal.SIGKILL)

    def _ask(self, attempt: Path, name: str, at_work: dict[str, Any]) -> bool:
        """Send SIGTERM, once; tells whether the process is alive."""
        process = Process.from_record(at_work.get(name))
        if (attempt, name) in self._asked:
            return _send(process, 0)
        if not _send(process, signal.SIGTERM):
            return False
        self._asked[attempt, name] = time.monotonic()
        return True


def _send(process: Process | None, number: int) -> bool:
    handle = process.handle() if process else None
    if handle is None:
        return False
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True
