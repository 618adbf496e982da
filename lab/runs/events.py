"""events.jsonl: what a worker tells, one JSON object a line, and how others read it.

Every line is one `os.write` on a descriptor opened with O_APPEND, so that a killed worker tears at most its
last line. Readers ignore a torn last line and skip a line that is not an object.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol


class HasPath(Protocol):
    """Anything with a path, such as a RunDirectory."""

    @property
    def path(self) -> Path: ...


class EventWriter:
    """Appends events of one attempt to a run's events.jsonl; every worker reports through it."""

    def __init__(self, run: Path | str | HasPath, attempt: int = 1) -> None:
        folder = Path(run) if isinstance(run, Path | str) else run.path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(folder / "events.jsonl", flags, 0o600)
        self.attempt = attempt
        self._end_torn_line()

    def write(self, kind: str, *, step: int | None = None, **fields: Any) -> None:
        """Append one event of any kind; numbers that are not finite become null."""
        record = {"t": round(time.time(), 3), "attempt": self.attempt, "kind": kind, "step": step, **fields}
        line = json.dumps(plain(record), ensure_ascii=False, allow_nan=False) + "\n"
        # A lone surrogate cannot be UTF-8; as \\udcxx it is still JSON and comes back as it was.
        os.write(self._file, line.encode("utf-8", "backslashreplace"))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Report the start of a phase and, unless it fails, its end with its seconds."""
        self.write("phase", phase=name, status="start")
        started = time.monotonic()
        yield
        self.write("phase", phase=name, status="end", seconds=round(time.monotonic() - started, 3))

    def progress(
        self,
        step: int,
        steps: int,
        *,
        done: float | None = None,
        eta_s: float | None = None,
        tokens: int | None = None,
        tokens_per_s: float | None = None,
        epoch: float | None = None,
    ) -> None:
        """Report how far the job is; `done` (0 to 1) defaults to step / steps."""
        if done is None:
            done = step / steps if steps else 0.0
        self.write(
            "progress",
            step=step,
            steps=steps,
            done=round(min(1.0, done), 5),
            eta_s=eta_s,
            tokens=tokens,
            tokens_per_s=tokens_per_s,
            epoch=epoch,
        )

    def metric(self, step: int, values: Mapping[str, float | None]) -> None:
        """Report measured values at an optimizer step."""
        self.write("metric", step=step, values=dict(values))

    def sample(self, step: int, index: int, prompt: str, text: str, stopped: bool, reference: str = "") -> None:
        """Report what the model answers to a held-out prompt; `prompt` is the person's question, not the
        template.
        """
        self.write("sample", step=step, index=index, prompt=prompt, text=text, stopped=stopped, reference=reference)

    def checkpoint(self, step: int, path: str | Path, reason: str) -> None:
        """Report a sealed checkpoint; `path` is relative to the run, `reason` is schedule, stop, short or
        end.
        """
        self.write("checkpoint", step=step, path=str(path), reason=reason)

    def note(self, template: str, /, *, level: str = "info", **values: Any) -> None:
        """Report something worth knowing; `level` is info or warning."""
        self.write("note", level=level, template=template, values=values)

    def diagnosis(self, code: str, template: str, /, *, level: str = "warning", **values: Any) -> None:
        """Report a recognised trouble; `level` is warning or error."""
        self.write("diagnosis", code=code, level=level, template=template, values=values)

    def close(self) -> None:
        """Close the file; nothing can be written afterwards."""
        os.close(self._file)

    def _end_torn_line(self) -> None:
        # A worker that was killed while writing left half a line; what follows must not be glued to it.
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")


def tail_events(path: str | Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events after byte `offset` of an events.jsonl and the offset to go on from.

    A torn last line is left for the next call; a file that is missing has no events.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            block = file.read()
    except FileNotFoundError:
        return [], offset
    end = block.rfind(b"\n") + 1
    events = [event for line in block[:end].splitlines() if (event := _parsed(line)) is not None]
    return events, offset + end


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: numbers of other libraries become floats, not finite ones become null."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item") or isinstance(value, float):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "kind" in event else None
