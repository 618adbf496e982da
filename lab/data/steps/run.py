"""Applying the chosen steps in their order."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.data.steps.base import EVERY, Change, Context, Drop, Row, Step, TextOf, ticker
from lab.data.steps.basic import exact_duplicates, missing_values
from lab.data.steps.language import language
from lab.data.steps.lengths import characters
from lab.data.steps.near import near_duplicates
from lab.data.steps.order import order_notes
from lab.data.steps.privacy import personal_data
from lab.data.steps.report import StepReport
from lab.data.steps.text import repair_text, strip_html
from lab.errors import InputError
from lab.spec.parts import PreparationSpec
from lab.text import N_

STEPS: dict[str, Step] = {
    "repair-text": repair_text,
    "strip-html": strip_html,
    "missing": missing_values,
    "characters": characters,
    "language": language,
    "personal-data": personal_data,
    "exact-duplicates": exact_duplicates,
    "near-duplicates": near_duplicates,
}


def run_steps(
    rows: list[Row],
    kind: str,
    preparation: PreparationSpec,
    *,
    text_of: TextOf,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Row], list[StepReport]]:
    """The rows that stay, in their order, and one report for each step of `preparation.steps`.

    `rows` are canonical rows of `kind`; none of them is changed in place. `text_of` gives a row's text with its
    template. `progress` hears (rows done, rows to do) over all steps. Raises Stopped when `stop` says so, and
    InputError, naming the step, when a step drops the last row.
    """
    numbers = list(range(len(rows)))
    reports: list[StepReport] = []
    total = len(rows) * len(preparation.steps)
    for place, name in enumerate(preparation.steps):
        report = StepReport(name, rows_in=len(rows))
        for template, values in order_notes(preparation.steps, place, masks=preparation.personal_data == "mask"):
            report.note(template, **values)
        tick = ticker(stop, progress, place * len(numbers), total)
        context = Context(kind, preparation, text_of, report, numbers, tick)
        begun = time.monotonic()
        kept = _apply(STEPS[name], rows, context)
        report.seconds = time.monotonic() - begun
        report.rows_out = len(kept)
        reports.append(report)
        if rows and not kept:
            raise _all_dropped(report)
        rows, numbers = [row for _, row in kept], [number for number, _ in kept]
    if progress is not None:
        progress(total, total)
    return rows, reports


def _apply(step: Step, rows: list[Row], context: Context) -> list[tuple[int, Row]]:
    """(number, row) of the rows that stay."""
    report, kept = context.report, []
    context.tick(0)
    decide = step(rows, context)
    for index, (number, row) in enumerate(zip(context.numbers, rows, strict=True)):
        if not index % EVERY:
            context.tick(index)
        decision = decide(index, row)
        if isinstance(decision, Drop):
            report.dropped[decision.why] += 1
            report.show(number, decision.why, decision.before)
            continue
        if isinstance(decision, Change):
            report.changed += 1
            report.show(number, decision.why, decision.before, decision.after)
            row = decision.row
        kept.append((number, row))
    return kept


def _all_dropped(report: StepReport) -> InputError:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in report.dropped.most_common())
    return InputError(
        N_("The step {step} dropped all of its {rows} rows ({reasons})."),
        where="preparation.steps",
        next=N_("Take the step {step} out, or change its settings."),
        step=report.step,
        rows=report.rows_in,
        reasons=reasons,
    )
