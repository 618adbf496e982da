"""The split, and what is done to the training part only: leakage, balance, varied copies, general data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.data.augment import augment
from lab.data.balance import balance
from lab.data.leakage import leakage, without
from lab.data.options import Options
from lab.data.replay import replay
from lab.data.replay_source import general_rows
from lab.data.split import TRAIN, assign
from lab.text import N_

Row = dict[str, Any]
LEAKS, UNDERSAMPLED = N_("resembles a held-out row"), N_("left out to balance the classes")
OVERSAMPLED, VARIED, GENERAL = N_("repeated to balance the classes"), N_("varied copies"), N_("general data")
LOOKED_AT = 10_000  # training rows, when leaks are only told
_TICK = 512  # rows between two questions whether to stop


@dataclass
class Shaped:
    """Rows with their parts; what was dropped and added; the pairs that leak, the weights of classes, notes."""

    rows: list[tuple[Row, str]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    leakage: list[dict[str, Any]] = field(default_factory=list)
    leakage_count: int = 0
    leakage_looked_at: int = 0
    weights: dict[str, float] | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)


def shape(
    rows: list[Row], kind: str, options: Options, go_on: Callable[[], None], *, look_for_leaks: bool = True
) -> Shaped:
    """Split the rows and shape the training part as `options.preparation` says.

    Leaks are looked for when they are to be dropped, or to be told. Raises InputError for settings that the rows do
    not allow.
    """
    how = options.preparation
    split = {"test_share": how.test_share, "by": how.split_by, "group_column": how.group_column}
    parts = assign(rows, kind, share=options.validation_share, seed=options.seed, **split)  # type: ignore[arg-type]
    train = [row for row, part in zip(rows, parts, strict=True) if part == TRAIN]
    held_out = [(row, part) for row, part in zip(rows, parts, strict=True) if part != TRAIN]
    shaped = Shaped()
    go_on()
    if held_out and (look_for_leaks or how.leakage == "drop"):
        train = _without_leaks(shaped, train, [row for row, _ in held_out], kind, options, go_on)
    balanced = balance(train, kind, how.balance, options.seed)
    shaped.weights = balanced.weights
    _count(shaped.added, OVERSAMPLED, balanced.added.total())
    _count(shaped.dropped, UNDERSAMPLED, balanced.dropped.total())
    go_on()
    copies = augment(train, kind, how.augment, how.augment_share, options.seed)
    _count(shaped.added, VARIED, len(copies.rows))
    train = balanced.rows + copies.rows
    shaped.notes += copies.notes
    if how.replay_source:
        general, general_kind = general_rows(how.replay_source)
        mixed = replay(train, kind, general, general_kind, how.replay_share, options.seed)
        _count(shaped.added, GENERAL, len(mixed.rows))
        train = train + mixed.rows
        shaped.notes += mixed.notes
    shaped.rows = [*((row, TRAIN) for row in train), *held_out]
    return shaped


def _without_leaks(
    shaped: Shaped, train: list[Row], held_out: list[Row], kind: str, options: Options, go_on: Callable[[], None]
) -> list[Row]:
    def tick(done: int) -> None:
        if done % _TICK == 0:
            go_on()

    how = options.preparation
    # To drop leaks every row counts; to tell of them, rows drawn evenly say as much in a fraction of the time.
    every = 1 if how.leakage == "drop" else -(-len(train) // LOOKED_AT)
    drawn = train[::every]
    leaks = leakage(drawn, held_out, kind, how.near_threshold, tick=tick)
    shaped.leakage = [leak.as_dict() | {"train": leak.train * every} for leak in leaks]
    shaped.leakage_count, shaped.leakage_looked_at = len(leaks), len(drawn)
    if how.leakage != "drop" or len(leaks) == len(train):  # nothing would be left
        return train
    _count(shaped.dropped, LEAKS, len(leaks))
    return without(train, leaks)


def _count(counter: Counter[str], reason: str, rows: int) -> None:
    if rows:
        counter[reason] += rows
