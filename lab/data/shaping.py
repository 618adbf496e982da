"""The split, and what is done to the training part only: leakage, balance, varied copies, general data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.data.options import Options
from lab.data.split import assign
from lab.data.texts import Row


@dataclass
class Shaped:
    """Rows with their parts, held-out rows where they stood; what was dropped and added; the pairs that leak."""

    rows: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    leakage: list[dict[str, Any]] = field(default_factory=list)
    leakage_count: int = 0


def shape(
    rows: list[dict[str, Any]],
    kind: str,
    options: Options,
    text: Callable[[Row], str],
    go_on: Callable[[], None],
) -> Shaped:
    """Split the rows and shape the training part as `options.preparation` says. Raises InputError."""
    parts = assign(rows, kind, share=options.validation_share, seed=options.seed)
    return Shaped(list(zip(rows, parts, strict=True)))
