"""The held-out scores of a run with labels, from its `review/summary.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.json_io import read_json
from lab.text import N_

NAMES = {
    "accuracy": N_("Accuracy"),
    "macro_f1": N_("Macro F1"),
    "weighted_f1": N_("Weighted F1"),
    "entity_f1": N_("Entity F1"),
    "entity_precision": N_("Entity precision"),
    "entity_recall": N_("Entity recall"),
    "f1": N_("F1 of words"),
    "exact_match": N_("Exact match"),
    "reward_accuracy": N_("Better answers preferred"),
    "likelihood_accuracy": N_("Better answers likelier"),
    "preference_accuracy": N_("Better answers scored higher"),
}


@dataclass(frozen=True)
class Score:
    """One score before and after, from 0 to 1; None for a model that was not scored. `low` and `high` hold 95 %
    of what other held-out rows would give the tuned model.
    """

    name: str
    before: float | None
    after: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Part:
    """One task of a run: its scores, its classes (precision, recall, F1, support), and for classes the confusion."""

    name: str
    task: str
    count: int
    scores: list[Score]
    classes: list[dict[str, Any]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)
    majority: float | None = None
    loss: tuple[float | None, float | None] = (None, None)
    margin: tuple[float | None, float | None] = (None, None)  # of preferences: how far the better answers are above


def read_labelled(directory: Path) -> list[Part]:
    """The tasks of a run with labels; empty for a language model and before the first scores."""
    summary = read_json(Path(directory) / "review" / "summary.json")
    held_out = summary.get("held_out") if isinstance(summary, dict) else None
    if not isinstance(held_out, dict):
        return []
    base, tuned = held_out.get("base") or {}, held_out.get("tuned") or {}
    if "tasks" in base or "tasks" in tuned:
        names = list((tuned.get("tasks") or base.get("tasks") or {}).keys())
        sides = [(side.get("tasks") or {}) for side in (base, tuned)]
        return [_part(name, sides[0].get(name) or {}, sides[1].get(name) or {}) for name in names]
    if "scores" not in base and "scores" not in tuned:
        return []
    return [_part("", base, tuned)]


def _part(name: str, base: Mapping[str, Any], tuned: Mapping[str, Any]) -> Part:
    last = tuned or base
    before, after = base.get("scores") or {}, tuned.get("scores") or {}
    scores = []
    for score in after or before:
        told = after.get(score) or {}
        first = (before.get(score) or {}).get("value")
        scores.append(Score(score, first, told.get("value"), told.get("low"), told.get("high")))
    return Part(
        name,
        str(last.get("task", "")),
        int(last.get("loss_count") or last.get("count") or 0),
        scores,
        list(last.get("classes") or []),
        list(last.get("labels") or []),
        list(last.get("confusion") or []),
        last.get("majority"),
        (base.get("loss"), tuned.get("loss")),
        (base.get("margin"), tuned.get("margin")),
    )
