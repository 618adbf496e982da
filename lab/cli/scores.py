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
    if any("scores" in side for side in sides):
        return _labelled(sides)
    rows = [
        [label, *(number(side.get(key)) if key == "loss" else percent(side.get(key)) for side in sides)]
        for key, label in MEASURES.items()
    ]
    return table(rows, [f"{sides[1].get('count', 'no')} questions", "before", "after"])


def _labelled(sides: list[dict[str, Any]]) -> str:
    """The scores of a model with labels, each task's under its name; the last column holds 95 % of them."""
    rows = []
    for name in (sides[1] or sides[0]).get("tasks") or [""]:
        before, after = ((side.get("tasks") or {}).get(name, {}) if name else side for side in sides)
        title = f"{name} " if name else ""
        rows.append([f"{title}loss", number(before.get("loss")), number(after.get("loss")), ""])
        for score, told in (after.get("scores") or {}).items():
            first = ((before.get("scores") or {}).get(score) or {}).get("value")
            sure = f"{percent(told.get('low'))} to {percent(told.get('high'))}"
            rows.append([f"{title}{score}", percent(first), percent(told.get("value")), sure])
    return table(rows, [f"{sides[1].get('count', 'no')} rows", "before", "after", "95 % sure"])
