"""A file before it is prepared: how it is read, what the lab found in it, and what is wrong in it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.text import N_
from lab.ui import data_said
from lab.ui.format import number
from lab.ui.language import _, ngettext, say
from lab.ui.layout import error_card

FOUND = "found"  # the choice that leaves it to the lab

# The reader's own lists (lab.data.said): the two wings share no code, so that a test compares them.
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "iso-8859-2", "iso-8859-15"),
    *("mac-roman", "cp437", "cp850", "cp1250", "cp1251", "koi8-r"),
    *("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"),
)
DELIMITERS = (",", ";", "\t", "|", " ", ":")
QUOTES = ('"', "'", "none")
UNITS = ("paragraph", "line", "file")
FORMATS = ("csv", "tsv", "json", "jsonl", "txt", "conll")
_WORDS = {
    ",": N_("comma"),
    ";": N_("semicolon"),
    "\t": N_("tab"),
    "|": N_("vertical bar"),
    " ": N_("space"),
    ":": N_("colon"),
    '"': N_("double quotes"),
    "'": N_("single quotes"),
    "none": N_("no quotes"),
    "paragraph": N_("a paragraph"),
    "line": N_("a line"),
    "file": N_("the whole file"),
    FOUND: N_("as found by the lab"),
}
_CHOICES = {
    "format": (N_("Format"), FORMATS),
    "encoding": (N_("Encoding"), ENCODINGS),
    "delimiter": (N_("Delimiter"), DELIMITERS),
    "quote": (N_("Quotes"), QUOTES),
    "text_unit": (N_("One row is"), UNITS),
}


def reading_of(identifier: str) -> dict[str, str]:
    """How a person said that the file is to be read; what they left to the lab is not in it."""
    return data_said.said(identifier, "reading")


def _say(identifier: str, name: str, value: str) -> None:
    data_said.say(identifier, "reading", name, None if value == FOUND else value)


def _chosen(identifier: str, name: str, key: str) -> None:
    _say(identifier, name, str(st.session_state.get(key) or FOUND))


def found_line(report: dict[str, Any], identifier: str, *, changeable: bool = True) -> None:
    """In one line what the file is and how it is read, and the way to have it read otherwise."""
    said = reading_of(identifier)
    parts = [f"**{str(report['format']).upper()}**"]
    if report.get("delimiter"):
        parts.append(word(str(report["delimiter"])))
    if report.get("quote"):
        parts.append(word(str(report["quote"])))
    if report.get("encoding"):
        mark = " " + _("with byte order mark") if report.get("bom") else ""
        parts.append(str(report["encoding"]).upper() + mark)
    parts.append(ngettext("{count} row", "{count} rows", int(report["rows"])))
    parts.append(ngettext("{count} column", "{count} columns", len(report["columns"])))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        st.markdown(" · ".join(parts), width="content")
        if not changeable:
            return
        label = _("Changed by you") if said else _("Change")
        with st.popover(label, icon=":material/edit:", type="tertiary"):
            reading_form(identifier, str(report["format"]))


def reading_form(identifier: str, format_found: str = "", only: tuple[str, ...] = ()) -> None:
    """How the file is to be read: format, encoding, delimiter, quotes, and what a row of a plain text is."""
    table, text = format_found in ("csv", "tsv", ""), format_found in ("txt", "")
    fits = {"delimiter": table, "quote": table, "text_unit": text}
    for name, (label, choices) in _CHOICES.items():
        if not fits.get(name, True) or (only and name not in only):
            continue
        options, said = [FOUND, *choices], reading_of(identifier).get(name, FOUND)
        key = f"read-{identifier}-{name}-{'shown' if only else 'folded'}-{said}"  # drawn anew when it is said elsewhere
        st.selectbox(
            _(label),
            options,
            index=options.index(said) if said in options else 0,
            key=key,
            format_func=word,
            on_change=_chosen,
            args=(identifier, name, key),
            help=_("cp1252 is what Windows programs write in Western Europe and America.")
            if name == "encoding"
            else None,
        )


def refused(error: LabError, identifier: str) -> None:
    """A file that cannot be read as it was tried: the sentence, and what may be said about it."""
    error_card(error)
    likely = str(error.values.get("suggested") or "")
    if likely in ENCODINGS:
        st.button(
            _("Read it as {encoding}", encoding=likely),
            icon=":material/check:",
            key="read-as-suggested",
            on_click=_say,
            args=(identifier, "encoding", likely),
        )
    st.markdown(_("Is it written another way? Say how:"))
    with st.container(horizontal=True):
        for name in ("format", "encoding", "delimiter"):
            with st.container(width=210):
                reading_form(identifier, only=(name,))


def word(code: str) -> str:
    """A delimiter, a quotation mark or a unit in words; an encoding or a format as it is called."""
    return _(_WORDS[code]) if code in _WORDS else code


def problems(found_problems: list[dict[str, Any]], most: int = 5) -> None:
    """What is wrong, with its line; the words may quote the file, so they are never Markdown."""
    if not found_problems:
        return
    count = ngettext("{count} thing to know", "{count} things to know", len(found_problems))
    with st.container(border=True, gap="small"):
        st.markdown(f":orange[:material/warning:] **{count}**")
        for problem in found_problems[:most]:
            st.text(_problem(problem))
        if len(found_problems) > most:
            with st.expander(_("All of them"), type="compact"):
                st.text("\n".join(_problem(problem) for problem in found_problems[most:200]))


def _problem(problem: dict[str, Any]) -> str:
    values = dict(problem.get("values") or {})
    if values.get("reason"):  # one of the lab's own words (`lab.data.rendered.REASONS`), not the file's
        problem = problem | {"values": values | {"reason": _(str(values["reason"]))}}
    what = say(problem) if problem.get("template") else str(problem.get("what", ""))
    line = problem.get("line")
    return _("Line {line}: {what}", line=number(line), what=what) if line else what


def first_rows(report: dict[str, Any]) -> None:
    """The first rows as they stand in the file."""
    rows = [{key: _shown(value) for key, value in row.items()} for row in report.get("examples") or []]
    if rows:
        with st.expander(_("The first rows as they stand in the file"), icon=":material/table_rows:"):
            st.dataframe(
                rows, hide_index=True, height=min(38 + 35 * len(rows), 250), alt=_("The first rows of the file.")
            )


def _shown(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
