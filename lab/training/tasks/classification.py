"""Classes of texts and of pairs of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from transformers import AutoModelForSequenceClassification

from lab.data.features import classification as features
from lab.data.features.item import Encoded, Item, Row
from lab.data.features.labels import classes_of
from lab.training.scores import classification as scores
from lab.training.scores.intervals import interval
from lab.training.tasks.labelled import Judged, LabelledPlan

Array = np.ndarray[Any, Any]


class ClassificationPlan(LabelledPlan):
    """The task `classification`."""

    auto_class = AutoModelForSequenceClassification
    peft_type = "SEQ_CLS"
    score = "accuracy"

    def find_labels(self) -> list[str]:
        return classes_of(self.rows.train, self.rows.validation)

    def head_settings(self) -> dict[str, Any]:
        return super().head_settings() | {"problem_type": "single_label_classification"}

    def encode_rows(self, rows: Sequence[Row], *, to_train: bool) -> Encoded:
        data = self.spec.data
        return features.encode(rows, self.labels, self.tokenizer, max_length=data.max_length, too_long=data.too_long)

    def judge(self, rows: Sequence[Row], items: Sequence[Item], outputs: Sequence[Array], *, sure: bool) -> Judged:
        if not items:
            return Judged({}, [])
        said = [int(logits.argmax()) for logits in outputs]
        truth = [item.labels[0] for item in items]
        classes = len(self.labels)
        cells = np.zeros((len(items), classes, classes), dtype=np.int32)
        cells[range(len(items)), truth, said] = 1
        matrix = cells.sum(0)
        found = scores.scores(matrix)
        told = {}
        for name in ("accuracy", "macro_f1", "weighted_f1"):
            low, high = interval(cells, _one(name)) if sure else (0.0, 1.0)
            told[name] = (float(found[name]), low, high)
        each = scores.by_class(matrix)
        tables = {
            "labels": self.labels,
            "confusion": matrix.tolist(),
            "classes": [
                {"label": label} | {name: float(values[i]) for name, values in each.items()}
                for i, label in enumerate(self.labels)
            ],
            "matthews": scores.matthews(matrix),
            "majority": self._majority(truth),
        }
        records = [self._record(rows[item.row], item, logits) for item, logits in zip(items, outputs, strict=True)]
        return Judged(told, records, tables)

    def _majority(self, truth: Sequence[int]) -> float:
        """The accuracy of always saying the most frequent class of the training rows."""
        seen = np.bincount([item.labels[0] for item in self.train], minlength=len(self.labels))
        return float(np.mean(np.asarray(truth) == int(seen.argmax())))

    def _record(self, row: Row, item: Item, logits: Array) -> dict[str, Any]:
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        said, truth = int(shares.argmax()), item.labels[0]
        text = row["text"] + (f"\n{row['text_pair']}" if row.get("text_pair") else "")
        return {
            "index": item.row,
            "prompt": text,
            "reference": self.labels[truth],
            "text": self.labels[said],
            "stopped": True,
            "right": said == truth,
            "confidence": float(shares[said]),
            "loss": float(-np.log(max(float(shares[truth]), 1e-30))),
        }


def _one(name: str) -> Callable[[Array], Array]:
    return lambda matrices: scores.scores(matrices)[name]
