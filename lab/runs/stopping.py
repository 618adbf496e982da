"""The wish to stop, as the worker sees it."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class StopFlag:
    """Raised when somebody wants the job to stop; the job looks at it where it can stop cleanly."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether the job was asked to stop."""
        return self._event.is_set()

    def request(self) -> None:
        """Ask the job to stop."""
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Sleep for `timeout_s` seconds, or less when the job is asked to stop; tells whether it was."""
        return self._event.wait(timeout_s)

    def listen(self) -> StopFlag:
        """Raise the flag on SIGTERM and on Ctrl-C instead of dying; to be called in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.request()
