"""Held-out loss and answers at step 0, in the middle and at the end, as events and as the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lab.data.example import Example
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec
from lab.training import comparison
from lab.training.comparison import Questions, Record
from lab.training.machine import Machine
from lab.training.tensorboard import Board


class Evaluator:
    """Asks a model the held-out questions of a run and reports what it finds.

    Its methods raise Interrupted soon after the run was asked to stop.
    """

    def __init__(
        self,
        spec: RunSpec,
        held_out: Sequence[Example],
        tokenizer: PreTrainedTokenizerBase,
        machine: Machine,
        events: EventWriter,
        board: Board,
        stop: StopFlag,
    ) -> None:
        self.tokenizer, self.machine, self.events, self.board, self.stop = (
            tokenizer,
            machine,
            events,
            board,
            stop,
        )
        self.samples = spec.evaluation.samples
        self.questions = Questions(
            held_out,
            loss_rows=min(len(held_out), spec.evaluation.max_examples),
            prompts=min(len(held_out), max(spec.evaluation.review_prompts, self.samples)),
            max_new_tokens=spec.evaluation.max_new_tokens,
            seed=spec.seed,
        )

    def during(self, model: PreTrainedModel, step: int) -> Record:
        """Loss and the sample prompts' answers in the middle of the training."""
        few = replace(self.questions, prompts=min(self.samples, self.questions.prompts))
        return self._ask(model, few, step)[0]

    def review(self, model: PreTrainedModel, step: int, which: str, folder: Path) -> Record:
        """Loss and answers to all prompts on which base and tuned model (`which`) are compared."""
        figures, records = self._ask(model, self.questions, step)
        comparison.write(folder, which, figures, records, self.questions)
        return figures

    def _ask(self, model: PreTrainedModel, questions: Questions, step: int) -> tuple[Record, list[Record]]:
        with self.machine.inference():
            figures, records = comparison.measure(model, self.tokenizer, questions, lambda: self.stop.requested)
        if figures["loss"] is not None:
            values: dict[str, Any] = {"eval_loss": figures["loss"], "perplexity": figures["perplexity"]}
            self.events.metric(step, values)
            self.board.scalars(step, values)
        for record in records[: self.samples]:
            self.events.sample(
                step,
                record["index"],
                record["prompt"],
                record["text"],
                record["stopped"],
                record["reference"],
            )
        return figures, records
