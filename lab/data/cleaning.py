"""The cleaning steps of a preparation, with their reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.data.clean import content
from lab.data.options import Options
from lab.data.progress import Listener
from lab.data.steps import run_steps
from lab.data.texts import Row
from lab.data.tokens import Encoder

SAMPLE = 1000  # rows that are counted in tokens to judge a limit in characters


@dataclass
class Steps:
    """The rows that the steps have left, one report for each step, and how many rows were dropped for which reason.

    `repeated` counts rows that equal an earlier one where the step exact-duplicates is off. `duplicates` are
    pairs of near duplicates. `character_filter` is the effect of a limit in characters beside the same limit in
    tokens; None without such a step.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    character_filter: dict[str, Any] | None = None


def clean_rows(
    rows: list[dict[str, Any]],
    kind: str,
    options: Options,
    encoder: Encoder,
    text: Callable[[Row], str],
    events: Listener,
    stop: Callable[[], bool] | None,
) -> Steps:
    """Apply `options.preparation.steps` in their order. Raises InputError when one drops the last row, and Stopped."""
    preparation = options.preparation
    effect = _character_filter(rows, options, encoder, text) if "characters" in preparation.steps else None
    kept, reports = run_steps(rows, kind, preparation, text_of=text, stop=stop, progress=events.progress)
    steps = Steps(kept, [report.as_dict() for report in reports], character_filter=effect)
    for report in reports:
        steps.dropped.update(report.dropped)
        steps.duplicates += report.pairs
    if "exact-duplicates" not in preparation.steps:
        steps.repeated = len(kept) - len({content(row) for row in kept})
    return steps


def _character_filter(
    rows: list[dict[str, Any]], options: Options, encoder: Encoder, text: Callable[[Row], str]
) -> dict[str, Any] | None:
    """The shares of rows that a limit in characters takes away, and the same limit in tokens would.

    Measured on rows drawn evenly from the whole file.
    """
    limit = options.preparation.max_characters
    if limit is None or not rows:
        return None
    sample = [text(row) for row in rows[:: max(1, len(rows) // SAMPLE)]]
    lengths = [len(ids) for ids in encoder.texts.ids(sample, split_specials=True)]
    return {
        "limit": limit,
        "longer_in_characters": sum(len(one) >= limit for one in sample) / len(sample),
        "longer_in_tokens": sum(length >= limit for length in lengths) / len(sample),
        "characters_per_token": round(sum(map(len, sample)) / max(1, sum(lengths)), 2),
        "sample": len(sample),
    }
