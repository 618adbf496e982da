"""What is wrong, or worth a second look, in the way a data set was prepared: sentences with their figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.data.build import Built
from lab.data.split import TEST, TRAIN, VALIDATION
from lab.text import N_

FEW_HELD_OUT = 100  # rows; below, a loss says little (usual practice, as in `lab.planning.advice`)
MUCH_PADDING = 0.3  # of all tokens that go through the model


def findings(built: Built, shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Each finding as {"level": info | warning, "template", "values"}, the gravest first."""
    found = [*_length(built, shown), *_repetition(built), *_held_out(built, shown), *_tokens(built, shown)]
    return sorted(found, key=lambda one: one["level"] != "warning")


def _length(built: Built, shown: dict[str, Any]) -> Iterator[dict[str, Any]]:
    effect = shown["character_filter"]
    if effect and effect["longer_in_characters"] > effect["longer_in_tokens"]:
        yield _one(
            "warning",
            N_(
                "The filter at {limit} counts characters, not tokens: {characters:.1%} of the rows are longer in "
                "characters, {tokens:.1%} in tokens. Filter by data.max_length to keep the others."
            ),
            limit=effect["limit"],
            characters=effect["longer_in_characters"],
            tokens=effect["longer_in_tokens"],
        )


def _repetition(built: Built) -> Iterator[dict[str, Any]]:
    steps = built.options.preparation.steps
    if "exact-duplicates" not in steps and built.steps.repeated:
        yield _one(
            "warning",
            N_("{count} row repeats an earlier one exactly and is kept; the step exact-duplicates drops it.")
            if built.steps.repeated == 1
            else N_("{count} rows repeat an earlier one exactly and are kept; the step exact-duplicates drops them."),
            count=built.steps.repeated,
        )
    if "missing" not in steps:
        yield _one("info", N_("The step missing is off: rows with an empty question are kept."))


def _held_out(built: Built, shown: dict[str, Any]) -> Iterator[dict[str, Any]]:
    counts = built.counts
    if shown["leakage_count"]:
        yield _one(
            "warning",
            N_(
                "{count:,} of the {looked_at:,} training rows that were looked at resemble a held-out row: "
                "the held-out loss will look better than it is."
            ),
            count=shown["leakage_count"],
            looked_at=shown["leakage_looked_at"],
        )
    if not counts[VALIDATION]:
        yield _one("warning", N_("No row is held out: nobody will see whether the model learns or remembers."))
    elif counts[VALIDATION] < FEW_HELD_OUT <= counts[TRAIN]:
        yield _one(
            "info",
            N_("Only {count} row is held out; below 100 a loss says little.")
            if counts[VALIDATION] == 1
            else N_("Only {count} rows are held out; below 100 a loss says little."),
            count=counts[VALIDATION],
        )
    if counts[VALIDATION] and not counts[TEST]:
        yield _one(
            "info",
            N_("There are no test rows: who chooses a checkpoint by the validation rows has none left to judge it."),
        )


def _tokens(built: Built, shown: dict[str, Any]) -> Iterator[dict[str, Any]]:
    told = shown["tokens"]
    if not told:
        return
    if not built.options.completion_only and built.source.kind != "text":
        yield _one(
            "warning",
            N_("The question is trained, too: set data.completion_only, and the loss counts the answer alone."),
        )
    if told["cut"]:
        yield _one(
            "warning",
            N_("{count} row is cut at {limit} tokens: the model never sees how it ends.")
            if built.cut == 1
            else N_("{count} rows are cut at {limit} tokens: the model never sees how they end."),
            count=built.cut,
            limit=built.options.max_length,
        )
    share = told["padded"] / max(1, told["total"] + told["padded"])
    if share > MUCH_PADDING and not built.options.packing:
        yield _one(
            "info",
            N_("{share:.0%} of the tokens in a batch of {batch} are padding; packing leaves less."),
            share=share,
            batch=told["batch"],
        )


def _one(level: str, template: str, **values: Any) -> dict[str, Any]:
    return {"level": level, "template": template, "values": values}
