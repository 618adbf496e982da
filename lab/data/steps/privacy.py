"""The step personal-data: flag, mask or drop rows with addresses, numbers and cards."""

from __future__ import annotations

from collections import Counter

from lab.data.steps.base import Change, Context, Decide, Drop, Row
from lab.data.steps.fields import replaced, texts
from lab.data.steps.personal import MASKS, find, masked
from lab.data.steps.report import shown
from lab.text import N_

PERSONAL = N_("personal data")


def personal_data(rows: list[Row], context: Context) -> Decide:
    """Counts what is found by sort; masks it, or drops its row. No report shows what was found."""
    action, report, kind = context.preparation.personal_data, context.report, context.kind

    def decide(index: int, row: Row) -> Drop | Change | None:
        sorts, example = _look(row, kind)
        if not sorts:
            return None
        report.found.update(sorts)
        if action == "drop":
            return Drop(PERSONAL, example)
        if action == "mask":
            return Change(_masked(row, kind), PERSONAL, example, _after(row, kind))
        report.show(context.numbers[index], PERSONAL, example)
        return None

    return decide


def _look(row: Row, kind: str) -> tuple[Counter[str], str]:
    """How much of each sort a row holds, and the first text with some, made unreadable."""
    sorts: Counter[str] = Counter()
    example = ""
    for text in texts(row, kind):
        found = find(text)
        sorts.update(finding.sort for finding in found)
        if found and not example:
            example = shown(masked(text, found, lambda sort: "•••"), found[0].start)
    return sorts, example


def _after(row: Row, kind: str) -> str:
    return next(shown(masked(text, found), found[0].start) for text in texts(row, kind) if (found := find(text)))


def _masked(row: Row, kind: str) -> Row:
    if kind != "token-classification":
        return replaced(row, kind, lambda text: masked(text, find(text)))
    tokens, start = list(row["tokens"]), 0
    found = find(" ".join(tokens))
    for place, token in enumerate(row["tokens"]):
        end = start + len(token)
        sort = next((one.sort for one in found if one.start < end and start < one.end), None)
        if sort:  # every token of a number that was written in groups, so that the tags keep their places
            tokens[place] = MASKS[sort]
        start = end + 1
    return row | {"tokens": tokens}
