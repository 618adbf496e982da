"""From canonical rows to examples: clean, measure, split, and what is done to the training part only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.data import tokenised
from lab.data.cleaning import Steps, clean_rows
from lab.data.examples import Examples, lines_of
from lab.data.fingerprint import tokens_key, write_rows
from lab.data.measuring import Chunk, measure
from lab.data.options import Options
from lab.data.progress import Listener, Stopped
from lab.data.rendered import TOO_LONG
from lab.data.shaping import Shaped, shape
from lab.data.source import Source
from lab.data.split import TEST, TRAIN, VALIDATION
from lab.data.templates import choose
from lab.data.texts import GENERATION, text_of
from lab.data.tokenised import Array, Pile, Tokens
from lab.data.tokenizer import Tokenizer, fingerprint_of
from lab.data.tokens import Encoder
from lab.errors import InputError
from lab.text import N_

Row = dict[str, Any]
PARTS = (TRAIN, VALIDATION, TEST)


@dataclass
class Built:
    """Everything that is known about a data set once its rows have become tokens.

    `rows` are the rows that are kept, each with its part; `examples` maps a part to its examples (empty for a
    kind whose rows stay as they are). `lengths` (tokens) and `characters` (template included) are of all rows
    that were measured, before any was cut or dropped for its length. `read` + `added` = kept + `dropped`.
    """

    source: Source
    options: Options
    template: str
    encoder: Encoder
    rows: list[Row] = field(default_factory=list)
    examples: dict[str, Examples] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    characters: list[int] = field(default_factory=list)
    cut: int = 0
    steps: Steps = field(default_factory=Steps)
    shaped: Shaped = field(default_factory=Shaped)
    rows_sum: str = ""
    tokenizer_sum: str = ""
    lines: Array | None = None
    tokens: Tokens | None = None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of its arrays: see `lab.data.tokenised`."""
        return tokens_key(self.options, self.source.kind, self.template, self.rows_sum, self.tokenizer_sum)


def build(
    source: Source,
    options: Options,
    tokenizer: Tokenizer,
    events: Listener,
    stop: Callable[[], bool] | None = None,
    *,
    clean: bool = True,
    folder: Path | None = None,
) -> Built:
    """Make examples of a source for one tokenizer.

    Without `clean` the rows are those of a prepared data set: nothing is done to them but measuring. A new data
    set gets its rows and arrays as files in `folder`, a prepared one its arrays. `stop` is asked between
    chunks. Raises InputError when no row is left to train on, and Stopped.
    """

    def go_on() -> None:
        if stop is not None and stop():
            raise Stopped

    built = Built(source, options, choose(options.template, source.kind, tokenizer), encoder_of(tokenizer, options))
    built.dropped.update(source.dropped)
    built.tokenizer_sum = fingerprint_of(tokenizer)
    go_on()
    work = _Work(built, events, go_on, stop, for_keeps=folder is not None)
    rows = work.clean() if clean else list(source.rows)
    with events.phase("measure"):
        places = work.measure(rows)
    go_on()
    with events.phase("split"):
        order = work.split(rows, places) if clean else work.named(rows, places)
    if not order[TRAIN]:
        raise _nothing_left(built)
    go_on()
    with events.phase("write"):
        work.keep(order, folder, new=clean)
    return built


def encoder_of(tokenizer: Tokenizer, options: Options) -> Encoder:
    """What turns rows into ids under these options."""
    how = {"completion_only": options.completion_only, "too_long": options.too_long}
    return Encoder(tokenizer, max_length=options.max_length, **how)  # type: ignore[arg-type]  # each has its type


class _Work:
    """The stages of one building; numbers are places in the pile of encoded examples, -1 for none."""

    def __init__(
        self,
        built: Built,
        events: Listener,
        go_on: Callable[[], None],
        stop: Callable[[], bool] | None,
        *,
        for_keeps: bool,
    ) -> None:
        self.built, self.events, self.go_on, self.stop, self.for_keeps = built, events, go_on, stop, for_keeps
        self.kind, self.pile = built.source.kind, Pile()

    def clean(self) -> list[Row]:
        """Apply the cleaning steps."""
        built = self.built
        with self.events.phase("clean"):
            text = text_of(self.kind, built.template, built.encoder.tokenizer)
            how = built.encoder, text, self.events, self.stop
            built.steps = clean_rows(built.source.rows, self.kind, built.options, *how)
            built.dropped.update(built.steps.dropped)
        self.go_on()
        rows, built.steps.rows = built.steps.rows, []
        return rows

    def measure(self, rows: list[Row], *, first: bool = True) -> list[int | None]:
        """The number of each row in the pile, None for a row that is left out; counts what is seen `first`."""
        places: list[int | None] = []

        def tell(done: int) -> None:
            self.go_on()
            if first:
                self.events.progress(done, len(rows))

        for chunk in measure(rows, self.kind, self.built.template, self.built.encoder, tell):
            places += self._placed(chunk)
            if first:
                self._count(chunk)
        return places

    def split(self, rows: list[Row], places: list[int | None]) -> dict[str, list[tuple[int, Row]]]:
        """Assign parts to the rows that are kept, and do what is done to the training part only."""
        kept = [row for row, place in zip(rows, places, strict=True) if place is not None]
        numbers = {id(row): place for row, place in zip(rows, places, strict=True) if place is not None}
        built = self.built
        built.shaped = shape(kept, self.kind, built.options, self.go_on, look_for_leaks=self.for_keeps)
        for note in built.shaped.notes:
            self.events.note(note["template"], **note["values"])
        new = [row for row, _ in built.shaped.rows if id(row) not in numbers]
        for row, place in zip(new, self.measure(new, first=False), strict=True):
            if place is not None:
                numbers[id(row)] = place
            else:
                built.shaped.dropped[TOO_LONG] += 1
        built.dropped.update(built.shaped.dropped)
        built.added.update(built.shaped.added)
        order: dict[str, list[tuple[int, Row]]] = {part: [] for part in PARTS}
        for row, part in built.shaped.rows:
            if id(row) in numbers:
                order[part].append((numbers[id(row)], row | {"split": part}))
        built.rows = [row for part in PARTS for _, row in order[part]]
        built.shaped.rows = []
        return order

    def named(self, rows: list[Row], places: list[int | None]) -> dict[str, list[tuple[int, Row]]]:
        """The parts that the rows of a prepared data set name."""
        order: dict[str, list[tuple[int, Row]]] = {part: [] for part in PARTS}
        for row, place in zip(rows, places, strict=True):
            if place is not None:
                order[row["split"]].append((place, row))
        self.built.rows = rows
        return order

    def keep(self, order: dict[str, list[tuple[int, Row]]], folder: Path | None, *, new: bool) -> None:
        """Put rows and arrays in their final order, as files where there is a folder."""
        built = self.built
        written = folder / "rows.jsonl" if folder else None
        built.rows_sum, built.lines = write_rows(built.rows, written if new else None)
        if written and not new:
            built.lines = lines_of(written)
        built.counts = {part: len(pairs) for part, pairs in order.items()}
        if self.kind not in GENERATION:
            return
        at = {id(row): number for number, row in enumerate(built.rows)}
        pairs = {part: [(number, at[id(row)]) for number, row in found] for part, found in order.items()}
        place = tokenised.unfinished(folder, built.key) if folder else None
        built.tokens = tokenised.arrange(self.pile, pairs, place)
        self.pile = Pile()
        how: Any = {"kind": self.kind, "template": built.template, "encoder": built.encoder}
        built.examples = {part: Examples(built.tokens, part, built.rows, **how) for part in PARTS}

    def _placed(self, chunk: Chunk) -> list[int | None]:
        if chunk.block is None:
            return [-1 if not reason else None for reason in chunk.reasons]
        number = self.pile.count
        self.pile.add(chunk.block)
        places: list[int | None] = []
        for reason in chunk.reasons:
            places.append(None if reason else number)
            number += not reason
        return places

    def _count(self, chunk: Chunk) -> None:
        built = self.built
        built.lengths += [length for length in chunk.tokens if length]
        built.characters += [count for count in chunk.characters if count]
        built.dropped.update(reason for reason in chunk.reasons if reason)
        built.cut += chunk.cut


def _nothing_left(built: Built) -> InputError:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in built.dropped.most_common())
    longest = max(built.lengths, default=0)
    too_long = longest > built.options.max_length
    return InputError(
        N_("No row of {name} is left to train on ({reasons})."),
        where="data.source",
        allowed=N_("At least one row that fits and has an answer."),
        next=N_("Raise data.max_length (the longest row has {longest} tokens), or set data.too_long to cut.")
        if too_long
        else N_("Check which column plays which role, and that the answers are not empty."),
        name=built.source.name,
        reasons=reasons or "the file has no rows",
        longest=longest,
    )
