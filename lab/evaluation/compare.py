"""Base and tuned model of a finished run, asked the same held-out prompts."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from peft import PeftModel

from lab.data.opening import open_data
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.training import build, comparison, libraries, machine
from lab.training.comparison import Questions, Record
from lab.training.session import fitted


class Comparer:
    """Asks the tuned model of a run and its base, and writes the comparison into the run's `review/`."""

    def __init__(self, run: RunDirectory, events: EventWriter, stop: StopFlag, prompts: int) -> None:
        libraries.quiet()
        self.run, self.events, self.stop, self.prompts = run, events, stop, prompts
        self.machine = machine.choose(run.spec.resources)
        self.options: dict[str, Any] = {"device": self.machine.device, "dtype": self.machine.frozen_dtype}
        self.tuned, self.tokenizer = build.load_tuned(run.path, **self.options)
        self.machine = machine.with_threads(self.machine, run.spec.resources, self.tuned.num_parameters())
        self.found: dict[str, tuple[Record, list[Record]]] = {}

    def tokenise(self, folder: Path) -> None:
        """The run's held-out rows, in the order in which they were asked before; notes go to `folder`."""
        spec = fitted(self.run.spec, self.tuned, self.events)
        rows = open_data(spec, folder, self.events, tokenizer=self.tokenizer).validation
        self.questions = Questions(
            rows,
            loss_rows=min(len(rows), max(spec.evaluation.max_examples, self.prompts)),
            prompts=min(len(rows), self.prompts),
            max_new_tokens=spec.evaluation.max_new_tokens,
            seed=spec.seed,
        )

    def ask(self) -> None:
        """Loss and answers of both models. Raises Interrupted when asked to stop."""
        adapter = isinstance(self.tuned, PeftModel)
        with self.tuned.disable_adapter() if adapter else nullcontext():
            self._ask("base", self.tuned if adapter else self._base())
        self.events.progress(1, 2)
        self._ask("tuned", self.tuned)
        self.events.progress(2, 2)

    def write(self) -> dict[str, Record]:
        """Replace the comparison; returns the figures of both models."""
        for which, (figures, records) in self.found.items():
            comparison.write(self.run.review_path, which, figures, records, self.questions)
        return {which: figures for which, (figures, _) in self.found.items()}

    def _base(self) -> Any:
        model = self.run.spec.model
        return build.load_base(model.source, revision=model.revision, **self.options)

    def _ask(self, which: str, model: Any) -> None:
        with self.machine.inference():
            asked = self.questions, lambda: self.stop.requested
            self.found[which] = comparison.measure(model, self.tokenizer, *asked)
