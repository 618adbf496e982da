"""The steps that need nothing but the rows: missing values and exact duplicates."""

from __future__ import annotations

from collections.abc import Hashable

from lab.data.clean import content, missing
from lab.data.rendered import DUPLICATE
from lab.data.steps.base import Context, Decide, Drop, Row


def missing_values(rows: list[Row], context: Context) -> Decide:
    """Drops rows without the question, the answer or the text that their kind needs."""

    def decide(index: int, row: Row) -> Drop | None:
        reason = missing(row, context.kind)
        return Drop(reason, context.text_of(row)) if reason else None

    return decide


def exact_duplicates(rows: list[Row], context: Context) -> Decide:
    """Drops rows whose content equals an earlier row's; a row in another part of the split counts as equal."""
    seen: set[Hashable] = set()

    def decide(index: int, row: Row) -> Drop | None:
        key = content(row)
        if key in seen:
            return Drop(DUPLICATE, context.text_of(row))
        seen.add(key)
        return None

    return decide
