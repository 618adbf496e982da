"""The step near-duplicates: of rows that hardly differ, the first stays."""

from __future__ import annotations

from lab.data.steps.base import Context, Decide, Drop, Row
from lab.data.steps.fields import whole, without_passage
from lab.data.steps.minhash import matches
from lab.data.steps.report import PAIRS, shown
from lab.text import N_

NEAR_DUPLICATE = N_("near duplicate")


def near_duplicates(rows: list[Row], context: Context) -> Decide:
    """Drops rows that resemble an earlier row that stays; what rows say is compared, not their template."""

    def text_at(index: int) -> str:
        return whole(rows[index], context.kind)

    numbers, report = context.numbers, context.report
    found = matches(
        len(rows),
        text_at,
        context.preparation.near_threshold,
        without_passage=lambda index: without_passage(rows[index], context.kind),
        tick=context.tick,
    )
    for row, (of, similarity) in sorted(found.items(), key=lambda pair: (-pair[1][1], pair[0]))[:PAIRS]:
        text = shown(text_at(row))
        report.pairs.append({"row": numbers[row], "of": numbers[of], "similarity": round(similarity, 4), "text": text})

    def decide(index: int, row: Row) -> Drop | None:
        return Drop(NEAR_DUPLICATE, text_at(index)) if index in found else None

    return decide
