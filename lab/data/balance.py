"""Making rare classes count more, on the training rows only."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.data.clean import digest
from lab.data.steps.base import Row
from lab.errors import InputError
from lab.text import N_


@dataclass
class Balanced:
    """The training rows, the weight of each class in the loss (None: all count the same), rows added and left out."""

    rows: list[Row]
    weights: dict[str, float] | None = None
    added: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def balance(rows: list[Row], kind: str, how: str, seed: int) -> Balanced:
    """Balance the classes of training rows: `how` is none, weights, oversample or undersample.

    Tags of tokens can only be weighted. Raises InputError for rows without classes.
    """
    if how == "none" or not rows:
        return Balanced(rows)
    if kind != "classification" and not (kind == "token-classification" and how == "weights"):
        raise InputError(
            N_("Rows of the kind {kind} cannot be balanced by {how}."),
            where="preparation.balance",
            allowed=N_("Rows with one label each can be balanced; tags of tokens by weights only."),
            next=N_("Set preparation.balance to none."),
            kind=kind,
            how=how,
        )
    if how == "weights":
        return Balanced(rows, class_weights(_labels(rows, kind)))
    return _oversampled(rows, seed) if how == "oversample" else _undersampled(rows, seed)


def class_weights(labels: Sequence[str]) -> dict[str, float]:
    """The weight of each class: rows / (classes x rows of the class), as scikit-learn's "balanced".

    Source: King and Zeng 2001, Logistic Regression in Rare Events Data.
    """
    counts = Counter(labels)
    return {label: len(labels) / (len(counts) * counts[label]) for label in sorted(counts)}


def _labels(rows: Sequence[Row], kind: str) -> list[str]:
    if kind == "classification":
        return [row["label"] for row in rows]
    return [tag for row in rows for tag in row["tags"]]


def _by_label(rows: Sequence[Row], seed: int) -> dict[str, list[int]]:
    """The places of each class's rows, in an order that depends on the seed and on their text only."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        places[row["label"]].append(index)
    keys = [hashlib.sha256(str(seed).encode() + digest(row)).digest() for row in rows]
    return {label: sorted(places[label], key=lambda index: (keys[index], index)) for label in sorted(places)}


def _oversampled(rows: list[Row], seed: int) -> Balanced:
    """Rows of the rarer classes are repeated in turn until every class has as many as the largest."""
    places = _by_label(rows, seed)
    most = max(map(len, places.values()))
    result = Balanced(list(rows))
    for label, own in places.items():
        for number in range(most - len(own)):
            result.rows.append(rows[own[number % len(own)]] | {"repeated": True})
            result.added[label] += 1
    return result


def _undersampled(rows: list[Row], seed: int) -> Balanced:
    """Every class keeps as many rows as the smallest has."""
    places = _by_label(rows, seed)
    least = min(map(len, places.values()))
    kept = sorted(index for own in places.values() for index in own[:least])
    dropped = Counter({label: len(own) - least for label, own in places.items() if len(own) > least})
    return Balanced([rows[index] for index in kept], dropped=dropped)
