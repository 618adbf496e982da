"""A comparison as a file to take away: Markdown to read, JSONL for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from lab.review.reading import RATES, Answer, Comparison, Pair, Scores

COLUMNS = (
    "index", "prompt", "reference", "base", "base_stopped", "base_rouge_l", "base_loss",
    "tuned", "tuned_stopped", "tuned_rouge_l", "tuned_loss",
    "base_right", "tuned_right", "base_confidence", "tuned_confidence", "task",
)  # fmt: skip

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def as_jsonl(comparison: Comparison) -> str:
    """One JSON object a line, texts unchanged."""
    return "".join(json.dumps(_row(pair), ensure_ascii=False) + "\n" for pair in comparison.pairs)


def as_csv(comparison: Comparison) -> str:
    """A header and one row a prompt; text that a spreadsheet would run as a formula gets a quote in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for pair in comparison.pairs:
        row = _row(pair)
        writer.writerow([safe_cell(row[column]) for column in COLUMNS])
    return out.getvalue()


def as_markdown(comparison: Comparison, title: str = "") -> str:
    """The figures as a table and every pair below; texts stand in fences, so nothing in them is markup."""
    lines = [f"# {one_line(title) or 'Comparison'}", "", *figures(comparison), ""]
    for pair in comparison.pairs:
        lines += [f"## Prompt {pair.index + 1}", "", fenced(pair.prompt), ""]
        if pair.reference:
            lines += ["Reference", "", fenced(pair.reference), ""]
        for name, answer in (("Base", pair.base), ("Tuned", pair.tuned)):
            if answer is not None:
                lines += [f"{name} ({_remarks(answer)})", "", fenced(answer.text), ""]
    return "\n".join(lines)


def figures(comparison: Comparison) -> list[str]:
    """The held-out figures of both models as lines of a Markdown table, rates with 95 % intervals."""
    rows = [
        ("held-out loss", _number(comparison.base.loss), _number(comparison.tuned.loss)),
        ("perplexity", _number(comparison.base.perplexity), _number(comparison.tuned.perplexity)),
    ]
    rates = {name: label for name, label in RATES.items() if name == "answer_rate" or not comparison.of_labels}
    rows += [(label, _rate(comparison.base, name), _rate(comparison.tuned, name)) for name, label in rates.items()]
    shown = [f"| {label} | {base} | {tuned} |" for label, base, tuned in rows if (base, tuned) != ("", "")]
    return ["| | base | tuned |", "|---|---|---|", *shown]


def fenced(text: str) -> str:
    """`text` in a code fence that is longer than every run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def one_line(text: str) -> str:
    """`text` on one line and without the characters that Markdown or HTML would read."""
    return " ".join(re.sub(r"[^\w .,:;()+/=-]", " ", text).split())


def safe_cell(value: Any) -> Any:
    """A value for a spreadsheet: a text that begins like a formula is quoted, unless it is a plain number.

    Source: OWASP, CSV Injection.
    """
    if not isinstance(value, str) or not value or _NUMBER.fullmatch(value):
        return value
    return "'" + value if value[0] in "=+-@\t\r\n\0" else value


def _row(pair: Pair) -> dict[str, Any]:
    row: dict[str, Any] = {"index": pair.index, "prompt": pair.prompt, "reference": pair.reference}
    for name, answer in (("base", pair.base), ("tuned", pair.tuned)):
        row[name] = answer.text if answer else None
        row[f"{name}_stopped"] = answer.stopped if answer else None
        row[f"{name}_rouge_l"] = answer.rouge_l if answer else None
        row[f"{name}_loss"] = answer.loss if answer else None
        row[f"{name}_right"] = answer.right if answer else None
        row[f"{name}_confidence"] = answer.confidence if answer else None
    return row | {"task": pair.task or None}


def _remarks(answer: Answer) -> str:
    if answer.exact is not None:  # a label
        return "right" if answer.exact else "not right"
    found = ["ends by itself" if answer.stopped else "cut at the longest answer"]
    if answer.rouge_l is not None:
        found.append(f"ROUGE-L {answer.rouge_l:.2f}")
    return ", ".join(found)


def _rate(scores: Scores, name: str) -> str:
    rate = scores.rates.get(name)
    if rate is None:
        return ""
    low, high = rate.interval
    return f"{rate.share:.0%} ({low:.0%} to {high:.0%} of {rate.count})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 10 else f"{value:.1f}"
