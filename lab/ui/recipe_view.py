"""A recipe on the screen: what was described, what was published, and what the numbers themselves say."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import streamlit as st

from lab.catalogue.audit import Check, audit
from lab.catalogue.recipes import NOT_PUBLISHED, Recipe
from lab.catalogue.search import COMPARATOR, find
from lab.text import N_
from lab.ui import words
from lab.ui.format import learning_rate, number, share
from lab.ui.language import _, ngettext
from lab.ui.layout import said, verdict_icon
from lab.ui.plan_details import input_name
from lab.ui.recipe_words import FIELDS
from lab.ui.theme import colours

STATUS_WORDS = {
    "holds": N_("holds"),
    "fails": N_("fails"),
    "implausible": N_("implausible"),
    "contradicts": N_("contradicts"),
    "info": N_("for information"),
}
_LINK = re.compile(r"https://[^\s;,)]+|arXiv:\d{4}\.\d{4,5}|[\w.-]+/[\w.-]+:[\w./-]+@[0-9a-f]{6,40}")
_LINK_LENGTH = 38
_RATES = ("learning_rate", "lr_start", "lr_end", "pretraining_lr", "lr")


def field_name(code: str) -> str:
    """The name of a recipe's field in words."""
    return _(FIELDS.get(code, "")) or code.replace("_", " ").capitalize()


def purpose(one: Recipe) -> str:
    """Base model, method and task in one line."""
    model = one.base_model or ("" if one.kind == COMPARATOR else one.family)
    return " · ".join(filter(None, (model, words.method(one.method), words.task(one.task))))


def notes(one: Recipe) -> None:
    """What it was for, why the lab would not run it, and what else is known about it."""
    for note in filter(None, (one.goal, one.not_run, *one.notes)):
        said(_(note), muted=True)


def comparison(one: Recipe) -> None:
    """Each field with the document's value and its line, and the published value and its source.

    What no document describes has no column for it.
    """
    tone = colours()
    published = {name: entry.model_dump() for name, entry in one.published.items()}
    names = list(dict.fromkeys([*one.document, *published]))
    sources = {entry["source"] for entry in published.values()}
    if not one.document and len(sources) == 1:
        st.html(f"<small>{html.escape(_('Source:'))} {_linked(sources.pop())}</small>")
        published = {name: {"value": entry["value"]} for name, entry in published.items()}
    columns = [("document", _("The document"), tone.document)] if one.document else []
    columns.append(("published", _("Published"), tone.published))
    head = "<td></td>" + "".join(
        f'<th scope="col" style="color:{colour}">{html.escape(label)}</th>' for _place, label, colour in columns
    )
    rows = ""
    for name in names:
        cells = {
            "document": _cell(name, one.document.get(name), "line", _("not in the document")),
            "published": _cell(name, published.get(name), "source", _("not published")),
        }
        drawn = "".join(cells[place] for place, _label, _colour in columns)
        rows += f'<tr><th scope="row">{html.escape(field_name(name))}</th>{drawn}</tr>'
    st.html(f'<table class="lab-compare lab-claims"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')


def checks(one: Recipe) -> None:
    """What follows from the values: each claim, what the arithmetic gives, and the formula."""
    tone = colours()
    found = audited(one.id)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.html(
            f'<div class="lab-column-head" style="color:{tone.computed}">{html.escape(_("Computed"))}</div>',
            width="content",
        )
        st.markdown(standing(found), width="content")
    for check in found:
        if check.status != "info":
            _check_card(check)
    more = [check for check in found if check.status == "info"]
    if more:
        label = ngettext("{count} more figure", "{count} more figures", len(more))
        with st.expander(label, expanded=len(more) == len(found), icon=":material/calculate:"):
            for check in more:
                st.html(_check(check))


@lru_cache
def audited(identifier: str) -> tuple[Check, ...]:
    """The checks of a recipe or published run, computed once."""
    return tuple(audit(find(identifier)))


def _check_card(check: Check) -> None:
    with st.container(border=True, gap=None):
        st.markdown(f"{verdict_icon(check.status)} **{_(STATUS_WORDS.get(check.status, check.status))}**")
        st.html(_check(check))


def _check(check: Check) -> str:
    tone = colours()
    claimed = ""
    if check.claimed not in (None, "", "-"):
        claimed = f"<span>{html.escape(_('claimed'))} <b>{html.escape(value_text('', check.claimed))}</b></span>"
    if check.computed is None:  # a statement against another, where there is nothing to compute
        note = f'<div class="lab-muted">{html.escape(_(check.note))}</div>' if check.note else ""
        flow = f'<div class="lab-flow">{claimed}</div>'
        return f'<div class="lab-check"><div>{html.escape(_(check.name))}</div>{flow}{note}</div>'
    parts = [
        f"<div>{html.escape(_(check.name))}</div>",
        f'<div class="lab-flow">{claimed}<span style="color:{tone.computed}">{html.escape(_("computed"))} '
        f"<b>{html.escape(_with_unit(check))}</b></span></div>",
        f'<code class="lab-formula">{html.escape(_formula(check.formula).replace(" x ", " × "))}</code>',
    ]
    if check.inputs:
        parts.append(f'<div class="lab-muted">{html.escape(_inputs(check.inputs))}</div>')
    if check.note:
        parts.append(f'<div class="lab-muted">{html.escape(_(check.note))}</div>')
    return f'<div class="lab-check">{"".join(parts)}</div>'


def _formula(text: str) -> str:
    """A formula in the visitor's language, or several of them that a check joined."""
    whole = _(text)
    return whole if whole != text else "; ".join(_(part) for part in text.split("; "))


def _with_unit(check: Check) -> str:
    return computed_text(check.computed, check.unit)


def computed_text(value: Any, unit: str) -> str:
    """A computed value with its unit; shares as percentages."""
    if unit == "share" and isinstance(value, int | float):
        return share(value, 1)
    return f"{value_text('', value)} {_(unit)}".strip()


def _inputs(inputs: Any) -> str:
    """The numbers that went into a formula; for a range, those of each of its corners."""
    sets = inputs if isinstance(inputs, list) else [inputs]
    return "; ".join(
        ", ".join(f"{input_name(key)} = {value_text(key, value)}" for key, value in one.items()) for one in sets
    )


def standing(found: Sequence[Check]) -> str:
    """How many checks hold, fail or are implausible, in words."""
    counts = {status: sum(check.status == status for check in found) for status in ("holds", "fails", "implausible")}
    parts = []
    if counts["holds"]:
        parts.append(f":green[:material/check_circle:] {ngettext('{count} holds', '{count} hold', counts['holds'])}")
    if counts["fails"]:
        parts.append(f":red[:material/cancel:] {ngettext('{count} fails', '{count} fail', counts['fails'])}")
    if counts["implausible"]:
        text = ngettext("{count} implausible", "{count} implausible", counts["implausible"])
        parts.append(f":orange[:material/help:] {text}")
    if not parts and found:
        return f":gray[{ngettext('{count} figure, no claim', '{count} figures, no claim', len(found))}]"
    return "  ".join(parts) or f":gray[{_('nothing to check')}]"


def _cell(name: str, entry: Mapping[str, Any] | None, origin: str, missing: str) -> str:
    value = (entry or {}).get("value")
    source = str((entry or {}).get(origin) or "")
    note = f"<small>{_linked(source)}</small>" if source else ""
    if source == NOT_PUBLISHED:
        note = ""
    if value is None:
        return f'<td><span class="lab-muted">{html.escape(missing)}</span>{note}</td>'
    return f"<td>{html.escape(value_text(name, value))}{note}</td>"


def value_text(name: str, value: Any) -> str:
    """A recipe's value as a person reads it."""
    if name == "stars":
        return _("{stars} of 5", stars=number(value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Mapping):
        return ", ".join(f"{field_name(str(key))}: {value_text(str(key), item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value_text(name, item) for item in value)
    if isinstance(value, float) and (name in _RATES or 0 < abs(value) < 1e-3):
        return learning_rate(value)
    if isinstance(value, int | float):
        return number(value, 0 if abs(value) >= 1000 else len(f"{value:.4g}".partition(".")[2]))
    return str(value)


def _linked(source: str) -> str:
    """The source as text, with what has an address as a link of a readable length."""
    parts, end = [], 0
    for match in _LINK.finditer(source):
        parts.append(html.escape(source[end : match.start()]))
        address, label = _address(match.group())
        full = html.escape(match.group(), quote=True)
        parts.append(
            f'<a href="{html.escape(address, quote=True)}" target="_blank" rel="noopener noreferrer" '
            f'title="{full}">{html.escape(label)}</a>'
        )
        end = match.end()
    return "".join(parts) + html.escape(source[end:])


def _address(text: str) -> tuple[str, str]:
    """The address behind a source and its short form: web page, arXiv paper, or owner/name:path@commit."""
    if text.startswith("https://"):
        short = text.removeprefix("https://")
        return text, short if len(short) <= _LINK_LENGTH else short[: _LINK_LENGTH - 1] + "…"
    if text.startswith("arXiv:"):
        return f"https://arxiv.org/abs/{text.removeprefix('arXiv:')}", text
    repository, _colon, rest = text.partition(":")
    path, _at, commit = rest.partition("@")
    return f"https://github.com/{repository}/blob/{commit}/{path}", f"{repository.partition('/')[2]}: {path}"
