"""What the work on data needs of the one who listens; `lab.runs.events.EventWriter` is one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Listener(Protocol):
    """Hears about phases, progress and what is worth knowing."""

    def phase(self, name: str) -> AbstractContextManager[None]: ...

    def progress(self, step: int, steps: int) -> None: ...

    def note(self, template: str, /, *, level: str = "info", **values: Any) -> None: ...


class Stopped(Exception):
    """The work was asked to stop; nothing of it stays."""


class NotesOnly:
    """Passes notes on and keeps phases to itself: a training reports the work on its data as one phase."""

    def __init__(self, listener: Any = None) -> None:
        self._listener = listener

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Nothing is reported."""
        return nullcontext()

    def progress(self, step: int, steps: int) -> None:
        """Nothing is reported."""

    def note(self, template: str, /, *, level: str = "info", **values: Any) -> None:
        """Pass the note on, if anybody listens."""
        if self._listener is not None:
            self._listener.note(template, level=level, **values)
