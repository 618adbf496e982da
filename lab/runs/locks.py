"""Locks that live exactly as long as the processes that hold them.

A descriptor locked with flock can be inherited; the kernel frees the lock when the last holder has died. So
"can I lock it?" answers whether anybody is alive, without pids, clocks or heartbeats.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Lock the file at `path` and return its descriptor; None when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock; a file that is missing is held by nobody."""
    if not path.exists():
        return False
    # Shared, so that two that only look never take each other for the holder.
    descriptor = try_lock(path, shared=True)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
