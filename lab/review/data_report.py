"""The report of a prepared data set: one HTML page without scripts and without the network, to read or to print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from lab.json_io import read_json
from lab.review.data_style import STYLE, bars
from lab.text import N_, fill

ROWS = 5  # shown as the model sees them
PAIRS = 20  # of duplicates and of leaking rows
Say = Callable[[str], str]


@dataclass(frozen=True)
class PreparedData:
    """What the folder of a data set tells; parts that an earlier version of the lab did not write are empty."""

    record: dict[str, Any]
    lengths: dict[str, Any]
    steps: list[dict[str, Any]]
    figures: dict[str, Any]
    preview: list[dict[str, Any]]


def read_data(folder: Path) -> PreparedData:
    """The JSON files of a data set's folder."""
    names = ("dataset", "lengths", "steps", "figures", "preview")
    record, lengths, steps, figures, preview = (read_json(folder / f"{name}.json") for name in names)
    return PreparedData(record, lengths or {}, steps or [], figures or {}, preview or [])


def as_html(data: PreparedData, say: Say = str) -> str:
    """The page; `say` translates the lab's own words. Everything that comes from the data is escaped."""
    name = f"{data.record['name']}, {say(N_('version'))} {data.record.get('version', 1)}"
    parts = [
        f"<h1>{escape(name)}</h1>",
        _remarks(data, say),
        _facts(data.record, say),
        _steps(data.steps, say),
        _lengths(data.lengths, say),
        _tokens(data.figures.get("tokens"), say),
        _sufficiency(data.figures.get("sufficiency"), say),
        _classes(data.figures.get("classes"), say),
        _words(data.figures.get("first_words"), say),
        _pairs(say(N_("Near duplicates")), data.figures.get("duplicates"), ("row", "of"), say),
        _pairs(say(N_("Leakage")), data.figures.get("leakage"), ("train", "held_out"), say),
        _rows(data.preview, say),
    ]
    head = f'<meta charset="utf-8"><title>{escape(name)}</title><style>{STYLE}</style>'
    return f"<!doctype html><html><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _remarks(data: PreparedData, say: Say) -> str:
    found = [(one["level"], fill(say(one["template"]), one["values"])) for one in data.figures.get("findings", [])]
    return "".join(f'<p class="{escape(level)}">{escape(text)}</p>' for level, text in found)


def _facts(record: dict[str, Any], say: Say) -> str:
    rows = [(say(N_("Kind")), record.get("kind")), (say(N_("Template")), record.get("template"))]
    rows += [(say(N_("Model")), record.get("model")), (say(N_("Fingerprint")), record.get("fingerprint"))]
    names = {"read": N_("Rows read"), "kept": N_("Rows kept"), "train": N_("Training rows")}
    names |= {"validation": N_("Validation rows"), "test": N_("Test rows")}
    rows += [(say(names[part]), f"{count:,}") for part, count in record["rows"].items()]
    rows += [(say(reason), f"-{count:,}") for reason, count in record.get("dropped", {}).items()]
    rows += [(say(reason), f"+{count:,}") for reason, count in record.get("added", {}).items()]
    return _table(rows)


def _steps(steps: Sequence[dict[str, Any]], say: Say) -> str:
    if not steps:
        return ""
    heads = [say(N_("Step")), say(N_("Rows in")), say(N_("Rows out")), say(N_("Changed")), say(N_("Why"))]
    rows = []
    for step in steps:
        counted = [(say(reason), count) for reason, count in step["dropped"].items()]
        counted += (step.get("found") or {}).items()  # seen and not dropped: sorts of personal data, languages
        why = ", ".join(f"{what}: {count:,}" for what, count in counted)
        rows.append((step["step"], f"{step['rows_in']:,}", f"{step['rows_out']:,}", f"{step['changed']:,}", why))
    examples = [
        (step["step"], one["row"] + 1, say(one["why"]), one["before"]) for step in steps for one in step["examples"]
    ]
    shown = _table(examples, [say(N_("Step")), say(N_("Row")), say(N_("Why")), say(N_("Text"))]) if examples else ""
    return f"<h2>{escape(say(N_('Steps')))}</h2>" + _table(rows, heads) + shown


def _lengths(lengths: dict[str, Any], say: Say) -> str:
    parts = [(N_("Length in tokens"), lengths, lengths.get("max_length"))]
    letters = lengths.get("characters") or {}
    parts.append((N_("Length in characters"), letters, letters.get("max_characters")))
    shown = []
    for title, told, limit in parts:
        if told.get("counts"):
            rows = [(f"{percent} %", f"{value:,}") for percent, value in told.get("percentiles", {}).items()]
            rows.append((say(N_("Longest")), f"{told['max']:,}"))
            shown.append(f"<h2>{escape(say(title))}</h2>" + bars(told["edges"], told["counts"], limit) + _table(rows))
    return "".join(shown)


def _tokens(tokens: dict[str, int] | None, say: Say) -> str:
    if not tokens:
        return ""
    names = {"trained": N_("Trained"), "masked": N_("Masked (the prompt)"), "cut": N_("Cut away")}
    names |= {"padded": N_("Padding without packing"), "padded_packed": N_("Padding with packing")}
    total = max(1, tokens["total"])
    rows = [(say(name), f"{tokens[key]:,}", f"{tokens[key] / total:.1%}") for key, name in names.items()]
    heads = [say(N_("Tokens")), f"{tokens['total']:,}", say(N_("Share"))]
    return f"<h2>{escape(say(N_('Tokens of the training part')))}</h2>" + _table(rows, heads)


def _sufficiency(told: dict[str, Any] | None, say: Say) -> str:
    if not told:
        return ""
    names = {"minimum": N_("The least"), "recommended": N_("Enough"), "optimal": N_("More stops helping")}
    rows = [(say(N_("Training rows")), f"{told['rows']:,}")]
    rows += [(say(name), f"{told[key]:,}") for key, name in names.items()]
    verdicts = {
        "below": N_("Fewer rows than the rule of thumb asks for."),
        "minimum": N_("More than the least, fewer than recommended."),
        "recommended": N_("Enough rows by the rule of thumb."),
        "optimal": N_("More rows would hardly help."),
    }
    source = f'<p class="source">{escape(told["source"])}</p>'
    verdict = f"<p>{escape(say(verdicts[told['verdict']]))}</p>"
    return f"<h2>{escape(say(N_('Is it enough?')))}</h2>" + verdict + _table(rows) + source


def _classes(classes: dict[str, dict[str, int]] | None, say: Say) -> str:
    if not classes:
        return ""
    heads = [say(N_("Label")), say(N_("Training")), say(N_("Validation")), say(N_("Test"))]
    rows = [
        (label, *(f"{counts[part]:,}" for part in ("train", "validation", "test"))) for label, counts in classes.items()
    ]
    return f"<h2>{escape(say(N_('Labels')))}</h2>" + _table(rows, heads)


def _words(words: Sequence[Sequence[Any]] | None, say: Say) -> str:
    if not words:
        return ""
    return f"<h2>{escape(say(N_('First words')))}</h2>" + _table([(word, f"{count:,}") for word, count in words])


def _pairs(title: str, pairs: Sequence[dict[str, Any]] | None, names: tuple[str, str], say: Say) -> str:
    if not pairs:
        return ""
    heads = [say(N_("Row")), say(N_("Resembles")), say(N_("Similarity")), say(N_("Text"))]
    rows = [(one[names[0]], one[names[1]], f"{one['similarity']:.2f}", one["text"]) for one in pairs[:PAIRS]]
    return f"<h2>{escape(title)}</h2>" + _table(rows, heads)


def _rows(preview: Sequence[dict[str, Any]], say: Say) -> str:
    if not preview:
        return ""
    shown = [f"<h2>{escape(say(N_('Rows as the model sees them; what is trained is marked')))}</h2>"]
    for row in preview[:ROWS]:
        pieces = (f"<mark>{escape(text)}</mark>" if trained else escape(text) for text, trained in row["segments"])
        shown.append(f"<pre>{''.join(pieces)}</pre>")
    return "".join(shown)


def _table(rows: Iterable[Sequence[Any]], heads: Sequence[str] = ()) -> str:
    head = "<tr>" + "".join(f"<th>{escape(one)}</th>" for one in heads) + "</tr>" if heads else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{head}{body}</table>"
