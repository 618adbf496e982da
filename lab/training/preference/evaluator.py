"""Held-out preferences of a language model: does it prefer the better answers, and what does it say now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lab.data.example import Example
from lab.data.features.preference import Pair, Single
from lab.json_io import read_json, write_json
from lab.training import comparison
from lab.training.comparison import Questions, Record
from lab.training.evaluate import Evaluator
from lab.training.held_out import held_out_loss
from lab.training.preference import figures
from lab.training.preference.trainers import loss_of

if TYPE_CHECKING:
    from lab.runs.stopping import StopFlag
    from lab.training.preference.plan import PairPlan
    from lab.training.tensorboard import Board

REFERENCE = "reference.json"  # in `review/`: what the model before the training thinks of the held-out answers
Array = np.ndarray[Any, Any]


class PreferenceEvaluator(Evaluator):
    """Adds to the answers of a language model how it judges the held-out preferences.

    `reward` of an answer is beta times the log-probability that the training added to it, as DPO and KTO define it.
    """

    def __init__(self, plan: PairPlan, board: Board, stop: StopFlag) -> None:
        self.plan = plan
        self.held_out: Sequence[Pair | Single] = plan.held_out_items
        questions = [one.chosen if isinstance(one, Pair) else one.answer for one in self.held_out]
        super().__init__(plan.spec, questions, plan.tokenizer, plan.machine, plan.events, board, stop)
        self.reference: Array | None = None

    def review(self, model: Any, step: int, which: str, folder: Path) -> Record:
        """Figures, answers, and for the base model what later ones are held against."""
        found = self._log_probabilities(model)
        if which == "base":
            self.reference = found
            folder.mkdir(exist_ok=True)
            write_json(folder / REFERENCE, {"log_probabilities": found.tolist()})
        told, records = self._asked(model, self.questions, step, found, sure=True)
        comparison.write(folder, which, told, records, self.questions)
        return told

    def measure(self, model: Any) -> tuple[Record, list[Record]]:
        """Figures with intervals and answers, without telling anybody; the first model asked is the reference."""
        found = self._log_probabilities(model)
        self.reference = found if self.reference is None else self.reference
        return self._figures(model, self.questions, found, sure=True)

    def keep(self, folder: Path, which: str, told: Record, records: list[Record]) -> None:
        """Write what was measured into a run's `review/`."""
        comparison.write(folder, which, told, records, self.questions)

    def during(self, model: Any, step: int) -> Record:
        few = replace(self.questions, prompts=min(self.samples, self.questions.prompts))
        return self._asked(model, few, step, self._log_probabilities(model), sure=False)[0]

    def _asked(
        self, model: Any, questions: Questions, step: int, found: Array, *, sure: bool
    ) -> tuple[Record, list[Record]]:
        told, records = self._figures(model, questions, found, sure=sure)
        values = {
            "eval_loss": told["loss"],
            **{name: score["value"] for name, score in told["scores"].items()},
            "reward_margin": told["margin"],
        }
        self.events.metric(step, {name: value for name, value in values.items() if value is not None})
        self.board.scalars(step, values)
        for record in records[: self.samples]:
            asked = (record["index"], record["prompt"], record["text"], record["stopped"], record["reference"])
            self.events.sample(step, *asked)
        return told, records

    def _figures(self, model: Any, questions: Questions, found: Array, *, sure: bool) -> tuple[Record, list[Record]]:
        with self.machine.inference():
            spoken, records = comparison.measure(model, self.tokenizer, questions, lambda: self.stop.requested)
        told = {**spoken, "task": "preference", "nll": spoken["loss"], **self.judged(found, sure=sure)}
        told["perplexity"] = None  # the loss is not one of tokens
        return told, records

    def judged(self, found: Array, *, sure: bool) -> Record:
        """Accuracy, margin and loss of log-probabilities: one row for each held-out item, (chosen, rejected) or one."""
        reference, beta = self._reference(), self.spec_beta
        gains = found - reference
        if not len(gains):
            return {"scores": {}, "score": None, "margin": None, "loss": None, "loss_count": 0}
        if self.plan.paired:
            better, worse = gains.T
            told = {
                "reward_accuracy": figures.of_pairs(better, worse, sure=sure),
                "likelihood_accuracy": figures.of_pairs(*found.T, sure=sure),
            }
            margin = float((better - worse).mean())
            losses = loss_of(self.plan.spec, torch.tensor(self._margins(gains)))
        else:
            desired = np.array([one.desired for one in self.held_out if isinstance(one, Single)])
            good, bad = gains[desired, 0], gains[~desired, 0]
            told = {"reward_accuracy": figures.of_singles(good, bad, sure=sure)}
            margin = float(good.mean() - bad.mean()) if len(good) and len(bad) else 0.0
            signed = torch.tensor(np.concatenate([good, -bad]))
            losses = 1 - torch.sigmoid(beta * signed)  # KTO's with a KL term of 0
        scores = {name: {"value": value, "low": low, "high": high} for name, (value, low, high) in told.items()}
        return {
            "scores": scores,
            "score": scores["reward_accuracy"]["value"],
            "margin": beta * margin,
            "loss": float(losses.double().mean()),
            "loss_count": len(gains),
        }

    @property
    def spec_beta(self) -> float:
        """Beta of the spec."""
        return self.plan.spec.preference.beta

    def _margins(self, gains: Array) -> Array:
        """How much further the better answer rose than the worse one; for ipo, in means over their tokens."""
        if self.plan.spec.preference.loss != "ipo":
            return np.asarray(gains[:, 0] - gains[:, 1])
        lengths = np.array([[_length(one.chosen), _length(one.rejected)] for one in self.held_out])  # type: ignore[union-attr]
        means = gains / np.maximum(1, lengths)
        return np.asarray(means[:, 0] - means[:, 1])

    def _reference(self) -> Array:
        if self.reference is None:  # an earlier attempt asked the base model
            kept = read_json(self.plan.directory / "review" / REFERENCE) or {}
            self.reference = np.array(kept["log_probabilities"], dtype=float)
        return self.reference

    def _log_probabilities(self, model: Any) -> Array:
        """Of each held-out answer, in nats: shape (pairs, 2) chosen and rejected, or (singles, 1)."""
        pairs = [[one.chosen, one.rejected] if isinstance(one, Pair) else [one.answer] for one in self.held_out]
        answers: list[Example] = [answer for both in pairs for answer in both]
        with self.machine.inference():
            pad = self.tokenizer.pad_token_id
            lost = held_out_loss(model, answers, pad_id=pad, interrupted=lambda: self.stop.requested)
        return -np.array(lost.sums, dtype=float).reshape(len(pairs), 2 if self.plan.paired else 1)


def _length(example: Example) -> int:
    return len(example.input_ids) - example.n_prompt
