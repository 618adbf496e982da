"""Sleeping until something happens: a client calls, or a child ends."""

from __future__ import annotations

import os
import select
import signal

from lab.runs.supervision import wake_path


class Ears:
    """A named pipe that clients and shims write to, and a pipe that signals write to."""

    def __init__(self) -> None:
        self.ending = False
        path = wake_path()
        if not path.exists():
            os.mkfifo(path, 0o600)
        # Opened for writing too, so that it never reports the end of the file when the last writer leaves.
        self._called = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._signalled, wake_up = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # without a handler nothing is written
        signal.set_wakeup_fd(wake_up)

    def listen(self, timeout_s: float) -> None:
        """Return when somebody called, a signal came, or the time is over."""
        ready, _, _ = select.select([self._called, self._signalled], [], [], timeout_s)
        for pipe in ready:
            os.read(pipe, 4096)
