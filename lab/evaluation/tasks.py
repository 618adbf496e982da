"""Base and tuned model of a run with labels, scored again on more held-out rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.errors import NotFoundError
from lab.runs.base import check_base
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec import with_overrides
from lab.text import N_
from lab.training import libraries, machine
from lab.training.comparison import Record
from lab.training.save import TASK_FILE
from lab.training.session import fitted
from lab.training.tasks import plan_for
from lab.training.tensorboard import Board

FINISHED = (TASK_FILE, "adapter_config.json", "config.json")  # one of them is in every finished `final/`


class TaskComparer:
    """Scores the tuned model of a run and what it began as, and writes both into the run's `review/`.

    Raises NotFoundError when the run has not saved a model, LabError when its base has changed since.
    """

    def __init__(self, run: RunDirectory, events: EventWriter, stop: StopFlag, rows: int) -> None:
        libraries.quiet()
        if not any((run.final_path / name).is_file() for name in FINISHED):
            raise NotFoundError(
                N_("This run has no finished model."),
                where=str(run.final_path),
                next=N_("Wait for its end, or resume it."),
            )
        check_base(run)
        self.run, self.events, self.stop = run, events, stop
        most = max(rows, run.spec.evaluation.max_examples)
        self.spec = with_overrides(
            run.spec, {"evaluation.max_examples": most, "evaluation.samples": 0, "evaluation.review_prompts": rows}
        )
        self.machine = machine.choose(self.spec.resources)
        self.plan = plan_for(self.spec, run.path, events, self.machine)
        self.plan.load_tokenizer()
        self.model: Any = self.plan.load_model()
        self.machine = machine.with_threads(self.machine, self.spec.resources, self.model.num_parameters())
        self.plan.machine = self.machine
        self.found: dict[str, tuple[Record, list[Record]]] = {}

    def tokenise(self, folder: Path) -> None:
        """The run's held-out rows; notes go to `folder`."""
        self.plan.encode(fitted(self.spec, self.model, self.events))
        self.evaluator: Any = self.plan.evaluator(Board(folder), self.stop)

    def ask(self) -> None:
        """Scores of both models. Raises Interrupted when asked to stop."""
        self.found["base"] = self.evaluator.measure(self.model)
        self.events.progress(1, 2)
        self.model = self.plan.load_final(self.model, self.run.final_path)
        self.found["tuned"] = self.evaluator.measure(self.model)
        self.events.progress(2, 2)

    def write(self) -> dict[str, Record]:
        """Replace the comparison; returns the figures of both models."""
        for which, (figures, records) in self.found.items():
            self.evaluator.keep(self.run.review_path, which, figures, records)
        return {which: figures for which, (figures, _) in self.found.items()}
