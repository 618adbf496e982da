"""The results of the GPU benchmark as Markdown: medians and spreads, ratios inside rounds, the plan beside the peak."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]
WITHIN = 0.05  # the aim for the memory plan


def read(path: Path) -> list[Line]:
    """The lines of a results file; a torn last line is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def document(lines: Sequence[Line]) -> str:
    """Every part and shape as a table, one session (a call of run.py) after the other."""
    parts: list[str] = []
    for session in dict.fromkeys(line["session"] for line in lines):
        of_session = [line for line in lines if line["session"] == session]
        parts.append(_heading(session, of_session))
        for key in dict.fromkeys((line["part"], line["shape"]) for line in of_session if line["part"] not in SPECIAL):
            chosen = [line for line in of_session if (line["part"], line["shape"]) == key]
            parts.append(memory_table(*key, chosen) if key[0] == "memory" else speed_table(*key, chosen))
        parts.extend(check_table(line) for line in of_session if line["part"] == "check")
    return "\n\n".join(parts) + "\n"


SPECIAL = ("ceilings", "check")


def _heading(session: str, lines: Sequence[Line]) -> str:
    told = f"## {session}"
    if any(line.get("tiny") for line in lines):
        told += "\n\n**A trial of the harness with tiny models: these figures say nothing about any tool.**"
    for line in lines:
        if line["part"] == "ceilings" and "error" not in line:
            told += (
                f"\n\n{line['device']}: best bf16 product {line['gemm_flops'] / 1e12:,.1f} TFLOP/s, "
                f"best copy {line['copy_bytes'] / 1e12:,.3f} TB/s."
            )
    return told


def speed_table(part: str, shape: str, lines: Sequence[Line]) -> str:
    """One row an arm: the median over the rounds, lowest and highest, and how much faster the lab was."""
    head = ["arm", "examples an update", "real tokens/s (low to high)", "label tokens/s", "tokens an update",
            "ms an update", "CPU ms", "padding", "peak GiB (reserved)", "MFU", "MFU of measured", "GPU busy",
            "start-up s", "the lab / this"]  # fmt: skip
    rows = []
    for name, group in dict.fromkeys((line["name"], line["group"]) for line in lines):
        mine = [line for line in lines if (line["name"], line["group"]) == (name, group)]
        good = [line for line in mine if "error" not in line]
        if not good:
            rows.append([name, str(mine[0]["batch"]), mine[0]["error"]] + [""] * (len(head) - 3))
            continue
        reference = [line for line in lines if line["group"] == group and line.get("reference") and "error" not in line]
        rows.append([name, str(mine[0]["batch"]), *_speeds(good), ratio(reference, good)])
    return f"### {part}, {shape}\n\n{_markdown(head, rows)}"


def _speeds(good: Sequence[Line]) -> list[str]:
    def middle(key: str) -> float | None:
        found = [line[key] for line in good if line.get(key) is not None]
        return statistics.median(found) if found else None

    speeds = [line["tokens_per_s"] for line in good]
    reserved = middle("reserved_gib")
    peak = f"{middle('peak_gib'):.2f}" + ("" if reserved is None else f" ({reserved:.2f})")
    return [
        f"{statistics.median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})",
        _number(middle("label_tokens_per_s"), ",.0f"), _number(middle("tokens_per_update"), ",.0f"),
        _number(middle("ms_per_update"), ",.1f"), _number(middle("cpu_ms_per_update"), ",.1f"),
        _number(middle("pad_share"), ".0%"), peak, _number(middle("mfu"), ".1%"),
        _number(middle("mfu_of_measured"), ".1%"), _number(middle("gpu_busy"), ".0%"),
        _number(middle("startup_s"), ".1f"),
    ]  # fmt: skip


def ratio(reference: Sequence[Line], others: Sequence[Line]) -> str:
    """The reference's speed over another arm's, inside rounds: median, low to high; a gap below the spread is none.

    The gap counts as none where the speeds of the two overlap over the rounds, or where there was one round.
    """
    by_round = {line["round"]: line["tokens_per_s"] for line in reference}
    found = [by_round[line["round"]] / line["tokens_per_s"] for line in others if line["round"] in by_round]
    if not found or (others[0]["name"], others[0]["group"]) == (reference[0]["name"], reference[0]["group"]):
        return ""
    told = f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
    ours, theirs = list(by_round.values()), [line["tokens_per_s"] for line in others]
    if len(found) < 2:
        return f"{told}; one round, no spread"
    overlap = min(ours) <= max(theirs) and min(theirs) <= max(ours)
    return f"{told}; none" if overlap else told


def memory_table(part: str, shape: str, lines: Sequence[Line]) -> str:
    """One row a point: the plan, the measured peak, and the difference."""
    rows, errors = [], []
    for name in dict.fromkeys(line["name"] for line in lines):
        good = [line for line in lines if line["name"] == name and line.get("plan_error") is not None]
        if not good:
            first = next(line for line in lines if line["name"] == name)
            rows.append([name, "", "", first.get("error", "no plan for this model")])
            continue
        error = statistics.median(line["plan_error"] for line in good)
        errors.append(error)
        planned, peak = good[0]["planned_allocated_gib"], statistics.median(line["peak_gib"] for line in good)
        rows.append([name, f"{planned:.2f}", f"{peak:.2f}", f"{error:+.1%}"])
    inside = sum(abs(error) <= WITHIN for error in errors)
    told = f"{inside} of {len(errors)} points within {WITHIN:.0%}."
    if errors:
        told += f" Median {statistics.median(errors):+.1%}, worst {max(errors, key=abs):+.1%}."
    return f"### {part}, {shape}\n\n{_markdown(['point', 'planned GiB', 'peak GiB', 'difference'], rows)}\n\n{told}"


def check_table(line: Line) -> str:
    """The equal-work gates of one call."""
    if "error" in line:
        return f"### check, {line['shape']}\n\n{line['error']}"
    rows = [[gate["name"], gate["figure"], gate["limit"], gate["verdict"]] for gate in line["gates"]]
    head = ["gate", "figure", "limit", "verdict"]
    return f"### check, {line['shape']} on {line['device']}\n\n{_markdown(head, rows)}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(head), "|".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
