"""A run's progress from its events: a bar on a terminal, and plain lines where there is none."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from lab.cli.words import duration, number
from lab.text import fill

WIDTH = 24
LINE_EVERY_S = 10.0  # in a log, as opposed to a terminal


class Progress:
    """Keeps one line on a terminal's standard error up to date with a run's events.

    Where standard error is no terminal it gets one line for each phase, and one every ten seconds.
    """

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._since = time.time() - 1.0  # what an earlier attempt told is no news
        self._lined = time.monotonic()
        self._phase = ""
        self._numbers: dict[str, float] = {}
        self._event: dict[str, Any] = {}

    def begin(self, run: str, first: str = "") -> None:
        """Say what is waited for, and which run has to end `first`, so that a log names what it tells of."""
        if not self._on:
            sys.stderr.write(f"run {run}\n" + (f"waits for {first}\n" if first else ""))
            sys.stderr.flush()

    def __call__(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        if event["kind"] == "note" and event.get("level") == "warning":
            return self._warn(event)
        begins = event["kind"] == "phase" and event.get("status") == "start"
        if begins:
            self._phase = str(event.get("phase"))
        elif event["kind"] == "progress":
            self._event = event
        elif event["kind"] == "metric":
            if not event.get("step") and "train_loss" in self._numbers:
                return  # of the base model, which is asked after the training
            self._numbers |= {name: value for name, value in event["values"].items() if value is not None}
        else:
            return
        if self._on:
            self._draw()
        elif float(event.get("t") or 0) >= self._since:
            self._print(begins)

    def _warn(self, event: dict[str, Any]) -> None:
        """Leave a warning of the worker standing, above the line on a terminal."""
        if float(event.get("t") or 0) >= self._since:
            self.close()
            sys.stderr.write(f"Warning: {fill(event['template'], event['values'])}\n")
            sys.stderr.flush()

    def _print(self, begins: bool) -> None:
        if begins:
            sys.stderr.write(self._phase + "\n")
        elif time.monotonic() - self._lined >= LINE_EVERY_S and self._event:
            sys.stderr.write("  ".join(self._parts()) + "\n")
        else:
            return
        self._lined = time.monotonic()
        sys.stderr.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._on:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _draw(self) -> None:
        room = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r\x1b[K" + self.line()[:room])
        sys.stderr.flush()

    def line(self) -> str:
        """The line as it is now, such as `train  [#####.....]  52 %  step 52/100  loss 1.204  0:31 left`."""
        filled = round(self._done() * WIDTH)
        phase, *rest = self._parts()
        return "  ".join([phase.ljust(8), f"[{'#' * filled}{'.' * (WIDTH - filled)}]", *rest])

    def _done(self) -> float:
        return float(self._event.get("done") or 0.0)

    def _parts(self) -> list[str]:
        event = self._event
        parts = [self._phase, f"{100 * self._done():3.0f} %"]
        if event.get("steps"):
            parts.append(f"step {event.get('step')}/{event['steps']}")
        for name, label in (("train_loss", "loss"), ("eval_loss", "held-out")):
            if name in self._numbers:
                parts.append(f"{label} {self._numbers[name]:.3f}")
        if event.get("tokens_per_s"):
            parts.append(f"{number(float(event['tokens_per_s']), 0)} tokens/s")
        if event.get("eta_s") is not None:
            parts.append(f"{duration(event['eta_s'])} left")
        return parts
