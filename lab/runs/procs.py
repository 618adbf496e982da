"""Naming a process so that its number, once given to a stranger, is never mistaken for it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Process:
    """A process: its pid, when it started (clock ticks after boot), and which boot that was."""

    pid: int
    started: int
    boot: str

    @classmethod
    def with_pid(cls, pid: int) -> Process | None:
        """The process that has this pid now; None when there is none."""
        started = _start_of(pid)
        return None if started is None else cls(pid, started, _BOOT.read_text().strip())

    @classmethod
    def from_record(cls, record: Any) -> Process | None:
        """The process that `as_record` described."""
        if not isinstance(record, dict):
            return None
        return cls(int(record["pid"]), int(record["started"]), str(record["boot"]))

    def as_record(self) -> dict[str, Any]:
        """The process as JSON."""
        return asdict(self)

    def handle(self) -> int | None:
        """A descriptor (pidfd) of exactly this process; None when it is gone. The caller closes it."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        # The descriptor is bound to whatever has the pid now; compare only after it is held.
        if Process.with_pid(self.pid) == self:
            return descriptor
        os.close(descriptor)
        return None


def _start_of(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name in parentheses may itself hold parentheses and blanks.
    return int(stat.rpartition(")")[2].split()[19])
