"""Answers to questions, as a span of the passage or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForQuestionAnswering

from lab.data.features.item import Encoded, Item, Row
from lab.data.features.questions import Windows
from lab.training.scores import answers
from lab.training.scores.intervals import interval
from lab.training.tasks.labelled import Judged, LabelledPlan
from lab.training.tasks.losses import ItemLoss, of_spans, plain

Array = np.ndarray[Any, Any]
BEST = 20  # starts and ends that are tried in each window


class QuestionPlan(LabelledPlan):
    """The task `extractive-qa`."""

    auto_class = AutoModelForQuestionAnswering
    peft_type = "QUESTION_ANS"
    score = "f1"
    needs_places = True
    may_refuse = False  # whether some training question has no answer

    @property
    def closing(self) -> int | None:
        """The token for "no answer" behind each window, of a model that reads from left to right.

        Its first token has seen nothing yet; an encoder has its [CLS] there.
        """
        if self.tokenizer.cls_token_id is not None:
            return None
        return self.tokenizer.eos_token_id if self.tokenizer.eos_token_id is not None else self.tokenizer.pad_token_id

    def find_labels(self) -> list[str]:
        self.may_refuse = any(not row["answers"] for row in self.rows.train)
        return []

    def head_settings(self) -> dict[str, Any]:
        return {}

    def encode_rows(self, rows: Sequence[Row], *, to_train: bool) -> Encoded:
        windows = Windows(self.spec.data.max_length, self.spec.tasks.stride, self.closing)
        return windows.encode(rows, self.tokenizer, to_train=to_train)

    def logits(self, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        found = self.forward(model, batch)
        both = torch.stack([found.start_logits, found.end_logits], -1).float()
        return both.masked_fill(batch["attention_mask"][..., None] == 0, -torch.inf)

    def item_losses(self, logits: torch.Tensor, labels: torch.Tensor, loss: ItemLoss = plain) -> torch.Tensor:
        return of_spans(logits, labels, loss)

    def judge(self, rows: Sequence[Row], items: Sequence[Item], outputs: Sequence[Array], *, sure: bool) -> Judged:
        if not rows:
            return Judged({}, [])
        windows: dict[int, list[tuple[Item, Array]]] = defaultdict(list)
        for item, logits in zip(items, outputs, strict=True):
            windows[item.row].append((item, logits))
        said = [self.answer(row, windows[i]) for i, row in enumerate(rows)]
        marks = np.array([answers.best(text, _texts(row)) for text, row in zip(said, rows, strict=True)])
        told = {}
        for column, name in ((1, "f1"), (0, "exact_match")):
            table = np.stack([marks[:, column], np.ones(len(marks))], 1)
            low, high = interval(table, _mean) if sure else (0.0, 1.0)
            told[name] = (float(marks[:, column].mean()), low, high)
        tables = {"with_answer": _share(rows, marks, True), "without_answer": _share(rows, marks, False)}
        records = [_record(i, row, said[i], *marks[i].tolist()) for i, row in enumerate(rows)]
        return Judged(told, records, tables)

    def answer(self, row: Row, windows: Sequence[tuple[Item, Array]]) -> str:
        """The best span of all windows, or "" where none scores above "no answer" and that may be said."""
        best, text, none = -np.inf, "", np.inf
        for item, logits in windows:
            nowhere = 0 if self.closing is None else len(item.places) - 1
            none = min(none, float(logits[nowhere, 0] + logits[nowhere, 1]))
            score, span = best_span(logits, item.places, self.spec.tasks.max_answer)
            if span is not None and score > best:
                best, text = score, row["context"][span[0] : span[1]].strip()
        if self.may_refuse and none - best > self.spec.tasks.null_threshold:
            return ""
        return text


def best_span(
    logits: Array, places: Sequence[tuple[int, int] | None], longest: int
) -> tuple[float, tuple[int, int] | None]:
    """The best sum of start and end inside the passage, and its characters; at most `longest` tokens."""
    inside = np.array([place is not None and place[1] > place[0] for place in places])
    if not inside.any():
        return -np.inf, None
    starts = np.where(inside, logits[:, 0], -np.inf)
    ends = np.where(inside, logits[:, 1], -np.inf)
    best, span = -np.inf, None
    for start in np.argsort(starts)[::-1][:BEST].tolist():
        if not np.isfinite(starts[start]):
            break
        upto = ends[start : start + longest]
        end = start + int(upto.argmax())
        score = float(starts[start] + ends[end])
        first, last = places[start], places[end]
        if score > best and first is not None and last is not None:
            best, span = score, (first[0], last[1])
    return best, span


def _texts(row: Row) -> list[str]:
    return [answer["text"] for answer in row["answers"]]


def _share(rows: Sequence[Row], marks: Array, with_answer: bool) -> dict[str, float] | None:
    chosen = marks[[bool(row["answers"]) == with_answer for row in rows]]
    if not len(chosen):
        return None
    return {"count": len(chosen), "exact_match": float(chosen[:, 0].mean()), "f1": float(chosen[:, 1].mean())}


def _record(index: int, row: Row, said: str, exact: float, f1: float) -> dict[str, Any]:
    return {
        "index": index,
        "id": row.get("id"),
        "prompt": row["question"],
        "context": row["context"],
        "reference": next(iter(_texts(row)), ""),
        "text": said,
        "stopped": True,
        "right": exact == 1.0,
        "f1": f1,
        "loss": None,
    }


def _mean(sums: Array) -> Array:
    return sums[:, 0] / np.maximum(1e-9, sums[:, 1])
