"""The step characters: rows that are too short or too long, template included."""

from __future__ import annotations

from lab.data.steps.base import Context, Decide, Drop, Row
from lab.text import N_

TOO_SHORT = N_("too few characters")
TOO_LONG = N_("too many characters")


def characters(rows: list[Row], context: Context) -> Decide:
    """Keeps rows with at least `min_characters` and fewer than `max_characters` characters (not tokens, not bytes)."""
    least, most = context.preparation.min_characters, context.preparation.max_characters

    def decide(index: int, row: Row) -> Drop | None:
        text = context.text_of(row)
        if len(text) < least:
            return Drop(TOO_SHORT, text)
        return Drop(TOO_LONG, text) if most is not None and len(text) >= most else None

    return decide
