"""Held-out scores of models with a head: at step 0, in the middle and at the end, as events and in `review/`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lab.data.features.item import Item
from lab.json_io import read_json, write_json, write_text
from lab.runs.events import plain
from lab.runs.stopping import StopFlag
from lab.training.interrupts import Interrupted
from lab.training.machine import random_state_kept
from lab.training.tasks.plan import Record, TaskPlan
from lab.training.tensorboard import Board

if TYPE_CHECKING:
    from lab.training.tasks.labelled import LabelledPlan

TOKENS = 8192  # of a batch, padding included
Outputs = list[np.ndarray[Any, Any]]


class TaskEvaluator:
    """Scores a model on the held-out rows of each of its tasks; methods raise Interrupted soon after a stop."""

    def __init__(self, plan: TaskPlan, parts: Mapping[str, LabelledPlan], board: Board, stop: StopFlag) -> None:
        self.plan, self.parts, self.board, self.stop = plan, parts, board, stop

    def during(self, model: Any, step: int) -> Record:
        """Loss and scores in the middle of the training."""
        return self._score(model, step, sure=False)[0]

    def review(self, model: Any, step: int, which: str, folder: Path) -> Record:
        """Loss and scores with intervals, and every record, of base or tuned model (`which`)."""
        figures, records = self._score(model, step, sure=True)
        write(folder, which, figures, records, self.plan.spec.seed)
        return figures

    def measure(self, model: Any) -> tuple[Record, list[Record]]:
        """Figures with intervals and records, without telling anybody."""
        found = {name: self._part(name, part, model, sure=True) for name, part in self.parts.items()}
        return joined(found)

    def keep(self, folder: Path, which: str, figures: Record, records: list[Record]) -> None:
        """Write what was measured into a run's `review/`."""
        write(folder, which, figures, records, self.plan.spec.seed)

    def _score(self, model: Any, step: int, *, sure: bool) -> tuple[Record, list[Record]]:
        found = {name: self._part(name, part, model, sure=sure) for name, part in self.parts.items()}
        figures, records = joined(found)
        values = {"eval_loss": figures["loss"]} if figures["loss"] is not None else {}
        for name, (part, _) in found.items():
            before = f"{name}." if name else ""
            values |= {before + score: told["value"] for score, told in part["scores"].items()}
        if values:
            self.plan.events.metric(step, values)
            self.board_values(step, values)
        for record in records[: self.plan.spec.evaluation.samples]:
            asked = (record["index"], record["prompt"], record["text"], record["stopped"], record["reference"])
            self.plan.events.sample(step, *asked)
        return figures, records

    def board_values(self, step: int, values: Mapping[str, float | None]) -> None:
        """The same numbers for TensorBoard."""
        self.board.scalars(step, values)

    def _part(self, name: str, part: LabelledPlan, model: Any, *, sure: bool) -> tuple[Record, list[Record]]:
        with self.plan.machine.inference():
            own = model.tasks[name] if name else model
            outputs, sums, counts = run_over(part, own, part.held_out_items, lambda: self.stop.requested)
        judged = part.judge(part.held_out, part.held_out_items, outputs, sure=sure)
        total = sum(counts)
        figures: Record = {
            "task": part.spec.task,
            "loss": sum(sums) / total if total else None,
            "loss_count": len(part.held_out),
            "count": len(judged.records),
            "scores": {
                name: {"value": value, "low": low, "high": high} for name, (value, low, high) in judged.scores.items()
            },
            "score": judged.scores[part.score][0] if judged.scores else None,
        } | judged.tables
        return figures, judged.records


def joined(found: Mapping[str, tuple[Record, list[Record]]]) -> tuple[Record, list[Record]]:
    """The figures of one task as they are; of several, their means, with each one's under `tasks`."""
    if list(found) == [""]:
        return found[""]
    figures = {name: part for name, (part, _) in found.items()}
    records: list[Record] = []
    for name, (_, own) in found.items():
        records += [record | {"task": name, "index": len(records) + at} for at, record in enumerate(own)]
    return {
        "task": "multi-task",
        "loss": _mean([part["loss"] for part in figures.values()]),
        "loss_count": sum(part["loss_count"] for part in figures.values()),
        "count": len(records),
        "score": _mean([part["score"] for part in figures.values()]),
        "scores": {},
        "tasks": figures,
    }, records


def write(review: Path, which: str, figures: Record, records: list[Record], seed: int) -> None:
    """Write the records of `which` model, base or tuned, and put its figures into the summary."""
    review.mkdir(exist_ok=True)
    lines = "".join(json.dumps(plain(record), ensure_ascii=False) + "\n" for record in records)
    write_text(review / f"{which}.jsonl", lines)
    summary = read_json(review / "summary.json") or {}
    held_out = dict(sorted({**summary.get("held_out", {}), which: plain(figures)}.items()))  # base before tuned
    write_json(review / "summary.json", {**summary, "held_out": held_out, "seed": seed, "task": figures["task"]})


def run_over(
    part: LabelledPlan, model: Any, items: Sequence[Item], interrupted: Callable[[], bool]
) -> tuple[Outputs, list[float], list[int]]:
    """The logits of each item without padding, its summed loss, and its labels; the model keeps its mode."""
    outputs: Outputs = [np.empty(0)] * len(items)
    sums, counts = [0.0] * len(items), [0] * len(items)
    was_training = model.training
    model.eval()
    try:
        with random_state_kept(), torch.no_grad():
            for chosen in by_length(items):
                if interrupted():
                    raise Interrupted
                batch = part.collate([items[i] for i in chosen])
                batch = {name: value.to(part.machine.device) for name, value in batch.items() if name != "task"}
                labels = batch.pop("labels")
                logits = part.logits(model, batch)
                losses = part.item_losses(logits, labels).sum(1).tolist()
                known = (labels >= 0).sum(1).tolist()
                for place, i in enumerate(chosen):
                    own = logits[place].float().cpu().numpy()
                    outputs[i] = own[: len(items[i].input_ids)] if own.ndim > 1 else own
                    sums[i], counts[i] = losses[place], known[place]
    finally:
        model.train(was_training)
    return outputs, sums, counts


def by_length(items: Sequence[Item]) -> list[list[int]]:
    """Indices in batches of like lengths."""
    batches: list[list[int]] = []
    for i in sorted(range(len(items)), key=lambda i: len(items[i].input_ids)):
        if batches and (len(batches[-1]) + 1) * len(items[i].input_ids) <= TOKENS:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
