"""What one step did: counts, reasons, and a few rows to look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 5
PAIRS = 50
_SHOWN = 300  # characters of a text in an example


@dataclass
class StepReport:
    """`dropped` counts rows by reason, `changed` the rows that stay with another text.

    `found` counts what was seen without being dropped (languages, sorts of personal data). An example is
    {"row", "why", "before", "after"?}; `row` counts from 0 in the rows that the first step was given. `pairs` are
    near duplicates, {"row", "of", "similarity", "text"}, the most similar first. A note is {"template", "values"}.
    """

    step: str
    rows_in: int = 0
    rows_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    seconds: float = 0.0
    examples: list[dict[str, Any]] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """One entry of a data set's steps.json."""
        return {
            "step": self.step,
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "dropped": dict(self.dropped),
            "changed": self.changed,
            "seconds": round(self.seconds, 3),
            "examples": self.examples,
            "found": dict(self.found.most_common()),
            "pairs": self.pairs,
            "notes": self.notes,
        }

    def show(self, row: int, why: str, before: str, after: str | None = None) -> None:
        """Remember one row as an example; of each reason no more than fit beside the others."""
        if len(self.examples) < EXAMPLES:
            example = {"row": row, "why": why, "before": shown(before)}
            self.examples.append(example | ({} if after is None else {"after": shown(after)}))

    def note(self, template: str, /, **values: Any) -> None:
        """Say something that a person should know about this step."""
        self.notes.append({"template": template, "values": values})


def shown(text: str, around: int = 0) -> str:
    """The part of a text that an example shows: its beginning, or what surrounds the character `around`."""
    start = max(0, around - _SHOWN // 2) if around > _SHOWN // 2 else 0
    piece = text[start : start + _SHOWN]
    return ("…" if start else "") + piece + ("…" if start + _SHOWN < len(text) else "")
