"""From canonical rows to examples: clean, split, format, measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.data.clean import clean
from lab.data.example import Example
from lab.data.options import Options
from lab.data.progress import Listener, Stopped
from lab.data.rendered import Rendered, Unrenderable
from lab.data.source import Source
from lab.data.split import TEST, TRAIN, VALIDATION, assign
from lab.data.templates import choose, render
from lab.data.tokenizer import Tokenizer
from lab.data.tokens import Dropped, Encoder
from lab.errors import InputError
from lab.text import N_


@dataclass
class Built:
    """Everything that is known about a data set once its rows have become tokens.

    `rows` are the clean canonical rows, each with its part; `examples` maps a part to its examples; `lengths`
    are the lengths in tokens of all measured rows, before any was cut or dropped for its length. `cleaned` is
    the part of `dropped` that is not in `rows`.
    """

    source: Source
    options: Options
    template: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    examples: dict[str, list[Example]] = field(default_factory=lambda: {TRAIN: [], VALIDATION: [], TEST: []})
    dropped: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    cut: int = 0
    cleaned: Counter[str] = field(default_factory=Counter)


def build(
    source: Source,
    options: Options,
    tokenizer: Tokenizer,
    events: Listener,
    stop: Callable[[], bool] | None = None,
) -> Built:
    """Make examples of a source for one tokenizer.

    `stop` is asked now and then. Raises InputError when no row is left to train on, and Stopped.
    """

    def go_on() -> None:
        if stop is not None and stop():
            raise Stopped

    built = Built(source, options, choose(options.template, source.kind, tokenizer))
    with events.phase("clean"):
        rows, dropped = clean(source.rows, source.kind)
        built.cleaned = source.dropped + dropped
        built.dropped.update(built.cleaned)
        parts = assign(rows, source.kind, share=options.validation_share, seed=options.seed)
        built.rows = [row | {"split": part} for row, part in zip(rows, parts, strict=True)]
    go_on()
    with events.phase("format"):
        rendered, parts = _formatted(built, tokenizer)
    go_on()
    with events.phase("measure"):
        _measure(built, rendered, parts, tokenizer, events, go_on)
    if not built.examples[TRAIN]:
        raise _nothing_left(built)
    return built


def _formatted(built: Built, tokenizer: Tokenizer) -> tuple[list[Rendered], list[str]]:
    rendered, parts = [], []
    for row in built.rows:
        try:
            rendered.append(render(row, built.source.kind, built.template, tokenizer))
        except Unrenderable as refusal:
            built.dropped[refusal.reason] += 1
        else:
            parts.append(row["split"])
    return rendered, parts


def _measure(
    built: Built,
    rendered: Sequence[Rendered],
    parts: Sequence[str],
    tokenizer: Tokenizer,
    events: Listener,
    go_on: Callable[[], None],
) -> None:
    options = built.options
    encoder = Encoder(
        tokenizer,
        max_length=options.max_length,
        completion_only=options.completion_only,
        too_long=options.too_long,
    )

    def tell(done: int) -> None:
        go_on()
        events.progress(done, len(rendered))

    results = encoder.encode_all(rendered, tell)
    for row, part, result in zip(rendered, parts, results, strict=True):
        if result.length:
            built.lengths.append(result.length)
        if isinstance(result, Dropped):
            built.dropped[result.reason] += 1
            continue
        built.cut += result.cut
        built.examples[part].append(encoder.example(row, result))


def _nothing_left(built: Built) -> InputError:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in built.dropped.most_common())
    longest = max(built.lengths, default=0)
    too_long = longest > built.options.max_length
    return InputError(
        N_("No row of {name} is left to train on ({reasons})."),
        where="data.source",
        next=N_("Raise data.max_length (the longest row has {longest} tokens), or set data.too_long to cut.")
        if too_long
        else N_("Check which column plays which role, and that the answers are not empty."),
        name=built.source.name,
        reasons=reasons or "the file has no rows",
        longest=longest,
    )
