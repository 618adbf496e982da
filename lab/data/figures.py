"""figures.json: what a person wants to see of a prepared data set before a training is paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lab.data.build import Built
from lab.data.padding import padded, padded_packed
from lab.data.remarks import findings
from lab.data.split import TRAIN
from lab.data.texts import Row
from lab.planning.advice import data_needed

WORDS = 20  # most frequent first words
SHOWN = 50  # pairs of duplicates and of leaking rows
_TASKS = {"classification": "classification", "token-classification": "token-classification"}
_TASKS |= {"extractive-qa": "extractive-qa", "preference": "preference"}


def figures(built: Built) -> dict[str, Any]:
    """Tokens, classes, first words, duplicates, leakage, sufficiency and findings, as JSON."""
    shown: dict[str, Any] = {
        "tokens": tokens(built),
        "classes": classes(built.rows, built.source.kind),
        "first_words": first_words(built.rows, built.source.kind),
        "duplicates": built.steps.duplicates[:SHOWN],
        "leakage": built.shaped.leakage[:SHOWN],
        "leakage_count": built.shaped.leakage_count,
        "leakage_looked_at": built.shaped.leakage_looked_at,
        "character_filter": built.steps.character_filter,
        "sufficiency": sufficiency(built),
    }
    return shown | {"findings": findings(built, shown)}


def tokens(built: Built) -> dict[str, int] | None:
    """Tokens of the training part: trained and masked (they add up to the total), cut away, and padding.

    None for a kind of data whose rows become ids only in the training.
    """
    arrays, options = built.tokens, built.options
    if arrays is None:
        return None
    first, end = arrays.parts[TRAIN]
    low, high = int(arrays.offsets[first]), int(arrays.offsets[end])
    lengths = arrays.lengths(TRAIN)
    trained = int(np.count_nonzero(arrays.trained[low:high]))
    before = arrays.index[first:end, 3].astype(np.int64)
    return {
        "total": high - low,
        "trained": trained,
        "masked": high - low - trained,
        "cut": int((before - lengths).sum()),
        "padded": padded(lengths, options.batch, options.seed),
        "padded_packed": padded_packed(lengths, options.max_length),
        "batch": options.batch,
    }


def classes(rows: Iterable[Row], kind: str) -> dict[str, dict[str, int]] | None:
    """Rows of each label in each part, the most frequent label first; for tagged tokens, entities of each type."""
    if kind not in ("classification", "token-classification"):
        return None
    found: dict[str, Counter[str]] = {}
    for row in rows:
        begun = [tag[2:] for tag in row.get("tags", ()) if tag.startswith("B-")]
        for label in [row["label"]] if kind == "classification" else begun:
            found.setdefault(str(label), Counter())[row["split"]] += 1
    order = sorted(found, key=lambda label: (-found[label].total(), label))
    return {label: {part: found[label][part] for part in ("train", "validation", "test")} for label in order}


def first_words(rows: Iterable[Row], kind: str) -> list[list[Any]]:
    """The words with which questions or texts begin most often, [word, rows]."""
    counted: Counter[str] = Counter()
    for row in rows:
        words = _asked(row, kind).split(None, 1)
        if words:
            counted[words[0].strip("\"'([{¿¡«»“”.,:;!?").casefold() or words[0]] += 1
    return [[word, count] for word, count in counted.most_common(WORDS)]


def sufficiency(built: Built) -> dict[str, Any] | None:
    """Whether the training rows are enough for the task; None where no rule is known."""
    kind, rows = built.source.kind, built.counts.get(TRAIN, 0)
    task = _TASKS.get(kind, "causal-lm")
    labels = classes(built.rows, kind) if kind == "classification" else None
    need = data_needed(task, classes=max(2, len(labels or ())))
    if need is None:
        return None
    return {
        "task": task,
        "rows": rows,
        "minimum": need.minimum,
        "recommended": need.recommended,
        "optimal": need.optimal,
        "verdict": need.place(rows),
        "unit": need.unit,
        "note": need.note,
        "source": need.source,
    }


def _asked(row: Row, kind: str) -> str:
    if kind == "messages":
        asked: Sequence[str] = [turn["content"] for turn in row["messages"] if turn["role"] == "user"]
        return asked[0] if asked else ""
    if kind == "token-classification":
        return row["tokens"][0] if row["tokens"] else ""
    prompt = next((row[name] for name in ("instruction", "question", "prompt", "text") if row.get(name)), "")
    if isinstance(prompt, list):
        return next((turn["content"] for turn in prompt if turn.get("role") == "user"), "")
    return str(prompt)
