"""A progress bar on a terminal, drawn from a run's events."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from lab.cli.words import duration, number

WIDTH = 24


class Progress:
    """Keeps one line on a terminal's standard error up to date with a run's events."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._phase = ""
        self._numbers: dict[str, float] = {}
        self._event: dict[str, Any] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        if not self._on:
            return
        if event["kind"] == "phase" and event.get("status") == "start":
            self._phase = str(event.get("phase"))
        elif event["kind"] == "progress":
            self._event = event
        elif event["kind"] == "metric":
            self._numbers |= {name: value for name, value in event["values"].items() if value is not None}
        else:
            return
        self._draw()

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
        event = self._event
        done = float(event.get("done") or 0.0)
        filled = round(done * WIDTH)
        parts = [self._phase.ljust(8), f"[{'#' * filled}{'.' * (WIDTH - filled)}]", f"{100 * done:3.0f} %"]
        if event.get("steps"):
            parts.append(f"step {event.get('step')}/{event['steps']}")
        for name, label in (("train_loss", "loss"), ("eval_loss", "held-out")):
            if name in self._numbers:
                parts.append(f"{label} {self._numbers[name]:.3f}")
        if event.get("tokens_per_s"):
            parts.append(f"{number(float(event['tokens_per_s']), 0)} tokens/s")
        if event.get("eta_s") is not None:
            parts.append(f"{duration(event['eta_s'])} left")
        return "  ".join(parts)
