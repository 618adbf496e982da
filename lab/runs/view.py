"""A run as a person sees it: state, phases, progress, curves, samples, folded from what is on disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.runs.directory import RunDirectory
from lab.runs.downsample import Point, min_max
from lab.runs.events import tail_events
from lab.runs.fold import Fold, Phase, Sample
from lab.runs.states import ENDED, QUEUED, RUNNING, STOPPING
from lab.runs.store import RunRow, Store

if TYPE_CHECKING:
    from lab.spec import RunSpec

__all__ = ["Phase", "RunView", "Sample", "read_run", "series", "tail_events"]


@dataclass(frozen=True)
class RunView:
    """One run at one moment.

    `phases` are those that the attempt has come to. `progress` is its last progress event (step, steps, done,
    eta_s, tokens, tokens_per_s, epoch); before its first it holds step, steps and done of the checkpoint that it
    goes on from, or is empty.
    `series` maps a metric to its (step, value) points in order of steps, `samples` a prompt's index to its
    answers by step. `reason` ({"template", "values"}) tells why a run ended as it did, `error` is the
    worker's own account.
    """

    row: RunRow
    directory: RunDirectory
    phases: list[Phase] = field(default_factory=list)
    phase: str = ""
    progress: dict[str, Any] = field(default_factory=dict)
    series: dict[str, list[Point]] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)
    samples: dict[int, list[Sample]] = field(default_factory=dict)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    diagnoses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def goal(self) -> int | None:
        """Optimizer steps at which this run ends: a short run's own, else the plan's; None when nobody knows."""
        return self.progress.get("steps") or _planned_steps(self.directory)

    @property
    def queue_place(self) -> int | None:
        """How many runs wait before this one; None when it does not wait."""
        if self.row.state != QUEUED:
            return None
        return sum(row.lane == self.row.lane for row in takewhile(lambda row: row.id != self.run, Store().queued()))

    @property
    def waits_for(self) -> RunRow | None:
        """The run that holds the lane in which this one waits; None when it does not wait, or nothing runs."""
        if self.row.state != QUEUED:
            return None
        return next((row for row in Store().active() if row.lane == self.row.lane), None)

    @property
    def can_keep(self) -> bool:
        """Whether a stop would leave a checkpoint: there is one, or an attempt has made a step."""
        stepped = self.row.state in (RUNNING, STOPPING) and bool(self.progress.get("step"))
        return stepped or bool(self.directory.sealed_checkpoints())

    @property
    def run(self) -> str:
        """The run's id."""
        return self.row.id

    @property
    def state(self) -> str:
        """queued, starting, running, stopping, succeeded, failed, cancelled or interrupted."""
        return self.row.state

    @property
    def ended(self) -> bool:
        """Whether nothing happens any more unless somebody resumes the run."""
        return self.row.state in ENDED

    @property
    def spec(self) -> RunSpec | None:
        """What was asked; None for kinds without a spec, and where this version cannot read it (`spec_error`)."""
        return None if isinstance(self._asked, LabError) else self._asked

    @property
    def spec_error(self) -> LabError | None:
        """Why the spec cannot be read: a run of another version may hold settings that this one does not know."""
        return self._asked if isinstance(self._asked, LabError) else None

    @cached_property
    def _asked(self) -> RunSpec | LabError | None:
        try:
            return self.directory.spec if self.directory.has_spec else None
        except LabError as error:
            return error

    @property
    def plan(self) -> dict[str, Any]:
        """What was computed before the start."""
        return self.directory.plan

    @property
    def result(self) -> dict[str, Any] | None:
        """The worker's result.json, or None while there is none."""
        return self.directory.result

    @property
    def error(self) -> dict[str, Any] | None:
        """The error of the last attempt, as `LabError.as_dict` wrote it."""
        return self.directory.error(self.row.attempt) if self.row.attempt else None

    @property
    def reason(self) -> dict[str, Any] | None:
        """Why the run ended as it did, as template and values."""
        return self.row.reason


def read_run(run_id: str) -> RunView:
    """The run as it is now; reads only the events that are new since the last call. Raises NotFoundError."""
    row = Store().run(run_id)
    directory = RunDirectory.of(run_id)
    fold = _folds.upto_now(directory.events_path)
    if row.state == QUEUED or row.attempt > fold.attempt:  # what was told is an earlier attempt's
        fold.begin_again()
    if not fold.progress and fold.checkpoints:
        fold.progress = _from_checkpoint(max(fold.checkpoints), directory)
    return _view(row, directory, fold)


def series(view: RunView, name: str, points: int = 1000) -> list[Point]:
    """The curve of one metric with at most `points` points; empty when it was never measured."""
    return min_max(view.series.get(name, []), points)


def _view(row: RunRow, directory: RunDirectory, fold: Fold) -> RunView:
    curves = {name: sorted(values.items()) for name, values in fold.series.items()}
    return RunView(
        row=row,
        directory=directory,
        phases=[_settled(phase, row) for phase in fold.phases.values() if phase.status != "waiting"],
        phase=fold.open_phases[-1] if fold.open_phases and row.state not in ENDED else "",
        progress=dict(fold.progress),
        series=curves,
        latest={name: last for name, points in curves.items() if (last := _last_finite(points)) is not None},
        samples={index: [by_step[step] for step in sorted(by_step)] for index, by_step in sorted(fold.samples.items())},
        checkpoints=[fold.checkpoints[step] for step in sorted(fold.checkpoints)],
        notes=list(fold.notes),
        diagnoses=list(fold.diagnoses),
    )


def _from_checkpoint(step: int, directory: RunDirectory) -> dict[str, Any]:
    steps = _planned_steps(directory)
    return {"step": step, "steps": steps, "done": min(1.0, step / steps) if steps else 0.0}


def _planned_steps(directory: RunDirectory) -> int | None:
    steps, until = directory.plan.get("steps"), directory.request.get("until_step")
    known = [int(number) for number in (steps, until) if number]
    return min(known, default=None)


def _settled(phase: Phase, row: RunRow) -> Phase:
    # A phase whose end was never written, in a run that has ended, is the one in which it ended.
    unfinished = phase.status == "running" and row.state in ENDED
    return replace(phase, status="stopped" if unfinished else phase.status)


def _last_finite(points: list[Point]) -> float | None:
    return next((value for _, value in reversed(points) if value is not None), None)


class _Folds:
    """The folds of the runs that were looked at last, each with how far its events were read."""

    def __init__(self, capacity: int = 256) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Path, int], tuple[Fold, int]] = OrderedDict()
        self._capacity = capacity

    def upto_now(self, path: Path) -> Fold:
        """The fold of all events in the file; a copy, so that a reader keeps one moment."""
        with self._lock:
            key = (path, path.stat().st_ino if path.exists() else 0)
            fold, offset = self._known.pop(key, (Fold(), 0))
            events, offset = tail_events(path, offset)
            fold.add(events)
            self._known[key] = (fold, offset)
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
            return _copied(fold)


def _copied(fold: Fold) -> Fold:
    return replace(
        fold,
        phases={name: replace(phase) for name, phase in fold.phases.items()},
        open_phases=list(fold.open_phases),
        series={name: dict(points) for name, points in fold.series.items()},
        samples={index: dict(samples) for index, samples in fold.samples.items()},
        checkpoints=dict(fold.checkpoints),
        notes=list(fold.notes),
        diagnoses=list(fold.diagnoses),
    )


_folds = _Folds()
