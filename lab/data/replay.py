"""Replay: rows of a general data set among the training rows, so that a model forgets less of what it knew."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.data.clean import digest
from lab.data.steps.base import Row
from lab.data.templates import as_messages
from lab.errors import InputError
from lab.text import N_

LEAST, MOST = 0.05, 0.25
UNUSUAL = N_("{share:.0%} of the training rows are general data; usual are 5 to 25 %.")
FEW = N_("The general data has only {rows} rows that fit; {share:.1%} of the training rows come from it.")
_ASKED = {
    "instruction": ("instruction", "output"),
    "question-answer": ("question", "answer"),
    "prompt-completion": ("prompt", "completion"),
}


@dataclass
class Replayed:
    """The general rows in the form of the training rows, each marked with `replay`; the share that they make."""

    rows: list[Row] = field(default_factory=list)
    share: float = 0.0
    notes: list[dict[str, Any]] = field(default_factory=list)


def replay(
    train: Sequence[Row], kind: str, general: Sequence[Row], general_kind: str, share: float, seed: int
) -> Replayed:
    """Choose so many general rows that they are `share` of all training rows, each at most once.

    Which ones depends on the seed and on their text only. Raises InputError for a general data set whose rows
    cannot take the form of the training rows.
    """
    fitting = [new for row in general if (new := as_kind(row, general_kind, kind)) is not None]
    if kind == "classification":
        _check_labels(train, fitting)
    if not fitting:
        raise InputError(
            N_("General data of the kind {general} cannot be mixed into rows of the kind {kind}."),
            where="preparation.replay_source",
            allowed=N_("Allowed: {kind}."),
            next=N_("Choose general data of the same kind, or leave preparation.replay_source empty."),
            general=general_kind,
            kind=kind,
        )
    wanted = round(len(train) * share / (1 - share))
    trained = {digest(row) for row in train}
    keys = {digest(row): row for row in fitting}
    order = sorted(keys.keys() - trained, key=lambda key: hashlib.sha256(str(seed).encode() + key).digest())
    chosen = [{name: keys[key][name] for name in keys[key] if name != "split"} for key in order[:wanted]]
    result = Replayed([row | {"replay": True} for row in chosen])
    result.share = len(chosen) / max(1, len(chosen) + len(train))
    if len(chosen) < wanted:
        result.notes.append({"template": FEW, "values": {"rows": len(chosen), "share": result.share}})
    elif not LEAST <= share <= MOST:
        result.notes.append({"template": UNUSUAL, "values": {"share": share}})
    return result


def as_kind(row: Row, kind: str, wanted: str) -> Row | None:
    """A row in the form of another kind, by its prompt and completion; None if it has none, or more than one."""
    if kind == wanted:
        return dict(row)
    if kind not in (*_ASKED, "messages") or wanted not in (*_ASKED, "messages"):
        return None
    turns = as_messages(row, kind)
    if wanted == "messages":
        return {"messages": turns}
    if [turn["role"] for turn in turns if turn["role"] != "system"] != ["user", "assistant"]:
        return None
    question, answer = _ASKED[wanted]
    asked = "\n\n".join(turn["content"] for turn in turns[:-1] if turn["content"])
    return {question: asked, answer: turns[-1]["content"]} | ({"input": ""} if wanted == "instruction" else {})


def _check_labels(train: Sequence[Row], general: Sequence[Row]) -> None:
    new = sorted({row["label"] for row in general} - {row["label"] for row in train})
    if new:
        raise InputError(
            N_("The general data has labels that the training rows do not have: {labels}."),
            where="preparation.replay_source",
            allowed=N_("Labels that the training rows have."),
            next=N_("Choose general data with the same labels, or leave preparation.replay_source empty."),
            labels=", ".join(new[:10]),
        )
