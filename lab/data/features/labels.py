"""The labels of a data set: which there are, in which order, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lab.data.features.item import Row
from lab.errors import InputError
from lab.runs.beforehand import unseen_labels
from lab.text import N_

MANY = 20  # from so many labels on, a label for every second row is a wrong column
OUTSIDE = "O"
_NUMBER = re.compile(r"(\d+)")


def in_order(labels: Iterable[str]) -> list[str]:
    """Different labels in a fixed order, numbers by their value: 2 before 10."""
    parts = {label: [(int(p), "") if p.isdigit() else (-1, p) for p in _NUMBER.split(label) if p] for label in labels}
    return sorted(parts, key=lambda label: (parts[label], label))


def classes_of(train: Sequence[Row], held_out: Sequence[Row]) -> list[str]:
    """The classes of labelled texts, from the training rows.

    Raises InputError for fewer than two, for a label for every row, and for held-out labels that no training
    row has.
    """
    classes = in_order({str(row["label"]) for row in train})
    if len(classes) < 2:
        raise InputError(
            N_("All training rows have the same label, {label}: there is nothing to tell apart."),
            where="data.source",
            allowed=N_("Two labels or more."),
            next=N_("Check which column holds the label."),
            label=classes[0] if classes else "-",
        )
    if len(classes) > MANY and len(classes) > len(train) / 2:
        raise InputError(
            N_("{rows} training rows have {labels} different labels, so the column holds no classes."),
            where="data.columns",
            allowed=N_("At most one label for two rows."),
            next=N_("Name the column of the label: --set 'data.columns=text: COLUMN, label: COLUMN'."),
            rows=len(train),
            labels=len(classes),
        )
    _all_seen(classes, [str(row["label"]) for row in held_out])
    return classes


def tags_of(train: Sequence[Row], held_out: Sequence[Row]) -> list[str]:
    """`O`, then B- and I- of each type of entity in the training rows (IOB2).

    Raises InputError when there are none, and for held-out types that no training row has.
    """
    types = in_order({tag[2:] for row in train for tag in row["tags"] if tag != OUTSIDE})
    if not types:
        raise InputError(
            N_("No training row names an entity: all tags are O."),
            where="data.source",
            allowed=N_("Tags such as B-person and I-person beside O."),
            next=N_("Check which column holds the tags."),
        )
    _all_seen(types, [tag[2:] for row in held_out for tag in row["tags"] if tag != OUTSIDE])
    return [OUTSIDE, *(f"{mark}-{kind}" for kind in types for mark in "BI")]


def _all_seen(known: Sequence[str], held_out: Sequence[str]) -> None:
    unseen = in_order(set(held_out) - set(known))
    if unseen:
        raise unseen_labels(unseen, known)
