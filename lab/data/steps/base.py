"""What every step is given, and what it says about one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.data.progress import Stopped
from lab.data.steps.report import StepReport
from lab.spec.parts import PreparationSpec

Row = dict[str, Any]
TextOf = Callable[[Row], str]
EVERY = 512  # rows between two questions whether to stop


@dataclass(frozen=True)
class Drop:
    """The row goes; `before` is what an example shows of it."""

    why: str
    before: str


@dataclass(frozen=True)
class Change:
    """The row stays as `row`; the texts are what an example shows."""

    row: Row
    why: str
    before: str
    after: str


@dataclass
class Context:
    """What a step knows besides the rows.

    `text_of` gives a row's whole text with its template, `numbers` the place of each row among those that the first
    step was given, `tick` is called now and then with the rows done, and raises Stopped.
    """

    kind: str
    preparation: PreparationSpec
    text_of: TextOf
    report: StepReport
    numbers: list[int]
    tick: Callable[[int], None]


# A step looks at all rows once if it has to, and then decides row by row; None keeps the row as it is.
Decide = Callable[[int, Row], Drop | Change | None]
Step = Callable[[list[Row], Context], Decide]


def ticker(
    stop: Callable[[], bool] | None, progress: Callable[[int, int], None] | None, done: int, total: int
) -> Callable[[int], None]:
    """Passes on every 512th call: asks whether to stop (raises Stopped) and tells `done` + rows of `total`.

    A step that goes through the rows more than once never makes the number smaller.
    """
    furthest = 0

    def tick(rows: int) -> None:
        nonlocal furthest
        if rows % EVERY:
            return
        if stop is not None and stop():
            raise Stopped
        furthest = max(furthest, done + rows)
        if progress is not None:
            progress(furthest, total)

    return tick
