"""Tags of words: named entities in IOB2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from transformers import AutoModelForTokenClassification

from lab.data.features import tokens as features
from lab.data.features.item import Encoded, Item, Row
from lab.data.features.labels import OUTSIDE, tags_of
from lab.training.scores import entities
from lab.training.scores.intervals import interval
from lab.training.tasks.labelled import Judged, LabelledPlan

Array = np.ndarray[Any, Any]
WHAT = ("right", "said", "true")


class TokenPlan(LabelledPlan):
    """The task `token-classification`."""

    auto_class = AutoModelForTokenClassification
    peft_type = "TOKEN_CLS"
    by_token = needs_places = True
    score = "entity_f1"

    def find_labels(self) -> list[str]:
        return tags_of(self.rows.train, self.rows.validation)

    def encode_rows(self, rows: Sequence[Row], *, to_train: bool) -> Encoded:
        data = self.spec.data
        return features.encode(rows, self.labels, self.tokenizer, max_length=data.max_length, too_long=data.too_long)

    def judge(self, rows: Sequence[Row], items: Sequence[Item], outputs: Sequence[Array], *, sure: bool) -> Judged:
        if not items:
            return Judged({}, [])
        said = [self._tags(item, logits) for item, logits in zip(items, outputs, strict=True)]
        truth = [rows[item.row]["tags"] for item in items]
        counts = [entities.counts(real, told) for real, told in zip(truth, said, strict=True)]
        table = np.array([[sum(n for (_, w), n in row.items() if w == what) for what in WHAT] for row in counts])
        whole = entities.scores(*table.sum(0).tolist())
        told = {}
        for name in ("f1", "precision", "recall"):
            low, high = interval(table, _one(name)) if sure else (0.0, 1.0)
            told[f"entity_{name}"] = (whole[name], low, high)
        words = [(a, b) for real, own in zip(truth, said, strict=True) for a, b in zip(real, own, strict=True)]
        tables = {
            "classes": [{"label": kind} | values for kind, values in entities.by_type(counts).items()],
            "word_accuracy": sum(a == b for a, b in words) / max(1, len(words)),
        }
        records = [_record(item.row, rows[item.row], own) for item, own in zip(items, said, strict=True)]
        return Judged(told, records, tables)

    def _tags(self, item: Item, logits: Array) -> list[str]:
        """The tag of each word; a word without a token of its own is outside."""
        best = logits.argmax(-1)
        return [OUTSIDE if place is None else self.labels[int(best[place])] for place in item.places]


def in_words(words: Sequence[str], tags: Sequence[str]) -> str:
    """The entities of a sentence, one a line, as a person reads them."""
    found = sorted(entities.spans(tags), key=lambda span: span[1])
    return "\n".join(f"{kind}: {' '.join(words[start:end])}" for kind, start, end in found) or OUTSIDE


def _record(index: int, row: Row, said: Sequence[str]) -> dict[str, Any]:
    words = row["tokens"]
    return {
        "index": index,
        "prompt": " ".join(words),
        "reference": in_words(words, row["tags"]),
        "text": in_words(words, said),
        "stopped": True,
        "right": entities.spans(said) == entities.spans(row["tags"]),
        "tags": list(said),
        "loss": None,
    }


def _one(name: str) -> Callable[[Array], Array]:
    def score(sums: Array) -> Array:
        return np.array([entities.scores(*row)[name] for row in sums.tolist()])

    return score
