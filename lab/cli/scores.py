"""The figures of base and tuned model side by side."""

from __future__ import annotations

from typing import Any

from lab.cli.output import table
from lab.cli.words import number, percent

MEASURES = {
    "loss": "loss on the held-out answers",
    "stop_rate": "ends by itself",
    "format_rate": "taught form",
    "answer_rate": "right",
}


def scores_table(held_out: dict[str, Any]) -> str:
    """The held-out figures before and after, as `review/summary.json` holds them."""
    sides = [held_out.get(name) or {} for name in ("base", "tuned")]
    rows = [
        [label, *(number(side.get(key)) if key == "loss" else percent(side.get(key)) for side in sides)]
        for key, label in MEASURES.items()
    ]
    return table(rows, [f"{sides[1].get('count', 'no')} questions", "before", "after"])
