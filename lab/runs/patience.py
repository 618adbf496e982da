"""How long reading a file may take: more for a large one, but never without an end."""

from __future__ import annotations

from pathlib import Path

SECONDS = 60  # of processor time for a small file
SECONDS_PER_GIB = 240  # several times what the slowest reader needs
MOST_SECONDS = 540
WAIT = 2  # a busy machine takes longer than its processor works
_PACKED, _UNPACKED = (".parquet", ".zip"), 4  # what one packed byte usually becomes


def cpu_seconds(path: str | Path) -> int:
    """Seconds of processor time that reading this file may take; a file that is not there gets the least."""
    file = Path(path).expanduser()
    try:
        size = file.stat().st_size
    except OSError:
        return SECONDS
    grown = size * (_UNPACKED if file.suffix.lower() in _PACKED else 1)
    return min(MOST_SECONDS, SECONDS + SECONDS_PER_GIB * grown // 2**30)


def wall_seconds(path: str | Path) -> float:
    """Seconds after which nobody waits for it any longer."""
    return float(WAIT * cpu_seconds(path))
