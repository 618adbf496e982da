"""From events to the picture of a run: one pass, one event at a time, so that a reader can go on where it
stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass
class Phase:
    """One phase of a run: `status` is waiting (a new attempt has not come to it yet), running, done, or stopped.

    `seconds` adds up all its rounds and attempts.
    """

    name: str
    status: str = "running"
    seconds: float = 0.0
    started: float = 0.0


@dataclass(frozen=True)
class Sample:
    """What the model answered to one held-out prompt at one step."""

    step: int
    index: int
    prompt: str
    text: str
    stopped: bool
    reference: str = ""


@dataclass
class Fold:
    """Everything that the events of a run say so far.

    `series` maps a metric's name to {step: value}, where None stands for a value that was not finite. A later
    attempt replaces whatever an earlier one measured from the later one's first step on: it started again
    from there.
    """

    attempt: int = 0
    phases: dict[str, Phase] = field(default_factory=dict)
    open_phases: list[str] = field(default_factory=list)
    progress: Event = field(default_factory=dict)
    series: dict[str, dict[int, float | None]] = field(default_factory=dict)
    samples: dict[int, dict[int, Sample]] = field(default_factory=dict)
    checkpoints: dict[int, Event] = field(default_factory=dict)
    notes: list[Event] = field(default_factory=list)
    diagnoses: list[Event] = field(default_factory=list)
    measured_attempt: int = 0

    def add(self, events: Iterable[Event]) -> Fold:
        """Take in more events, in their order, and return self."""
        for event in events:
            self._enter_attempt(int(event.get("attempt") or 0))
            reader = _READERS.get(event["kind"])
            if reader is not None:  # kinds of later versions are left alone
                reader(self, event)
        return self

    def _enter_attempt(self, attempt: int) -> None:
        if attempt <= self.attempt:
            return
        self.attempt = attempt
        self.begin_again()

    def begin_again(self) -> None:
        """Forget how far an earlier attempt had come: the next one goes through every phase anew, and goes on at
        the last checkpoint.
        """
        for phase in self.phases.values():
            phase.status = "waiting"
        self.open_phases.clear()
        self.progress = {}

    def _phase(self, event: Event) -> None:
        name = str(event.get("phase"))
        phase = self.phases.setdefault(name, Phase(name))
        if event.get("status") == "start":
            phase.status, phase.started = "running", float(event.get("t") or 0)
            self.open_phases.append(name)
            return
        phase.status = "done"
        phase.seconds += float(event.get("seconds") or 0)
        if name in self.open_phases:
            self.open_phases.remove(name)

    def _progress(self, event: Event) -> None:
        self.progress = event

    def _metric(self, event: Event) -> None:
        step = int(event.get("step") or 0)
        if int(event.get("attempt") or 0) > self.measured_attempt:
            self.measured_attempt = int(event["attempt"])
            self._forget_from(step)
        for name, value in (event.get("values") or {}).items():
            self.series.setdefault(name, {})[step] = value

    def _forget_from(self, step: int) -> None:
        for name, points in self.series.items():
            self.series[name] = {at: value for at, value in points.items() if at < step}

    def _sample(self, event: Event) -> None:
        sample = Sample(
            step=int(event.get("step") or 0),
            index=int(event.get("index") or 0),
            prompt=str(event.get("prompt", "")),
            text=str(event.get("text", "")),
            stopped=bool(event.get("stopped")),
            reference=str(event.get("reference") or ""),
        )
        self.samples.setdefault(sample.index, {})[sample.step] = sample

    def _checkpoint(self, event: Event) -> None:
        self.checkpoints[int(event.get("step") or 0)] = event

    def _note(self, event: Event) -> None:
        self.notes.append(event)

    def _diagnosis(self, event: Event) -> None:
        self.diagnoses.append(event)


_READERS = {
    "phase": Fold._phase,
    "progress": Fold._progress,
    "metric": Fold._metric,
    "sample": Fold._sample,
    "checkpoint": Fold._checkpoint,
    "note": Fold._note,
    "diagnosis": Fold._diagnosis,
}
