"""A file before it is prepared: what the lab found in it, and which column plays which role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from lab.runs.child import ask
from lab.text import N_
from lab.ui.format import number
from lab.ui.language import _, ngettext, say
from lab.ui.layout import facts

KINDS = {
    "instruction": N_("instruction and answer"),
    "question-answer": N_("question and answer"),
    "prompt-completion": N_("prompt and completion"),
    "messages": N_("conversation"),
    "text": N_("plain text"),
    "preference": N_("preference pairs"),
    "classification": N_("text and label"),
    "token-classification": N_("words and labels"),
    "extractive-qa": N_("answer inside a text"),
}
# The roles of each kind that a causal language model learns from; those after the bar may stay empty.
ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "instruction": (("instruction", "output"), ("input",)),
    "question-answer": (("question", "answer"), ("context",)),
    "prompt-completion": (("prompt", "completion"), ()),
    "messages": (("messages",), ("system",)),
    "text": (("text",), ()),
}
ROLE_WORDS = {
    "instruction": N_("Instruction"),
    "input": N_("Input"),
    "output": N_("Answer"),
    "question": N_("Question"),
    "answer": N_("Answer"),
    "context": N_("Context"),
    "prompt": N_("Prompt"),
    "completion": N_("Completion"),
    "messages": N_("Messages"),
    "system": N_("System prompt"),
    "text": N_("Text"),
}
INSPECTION_SECONDS = 120.0


def inspect(path: Path, **said: Any) -> dict[str, Any]:
    """What a throw-away process found in the file: format, kind, columns, mapping, problems, first rows.

    `said` may name encoding, kind and mapping. Raises InputError when the file cannot be used at all.
    """
    stat = path.stat()
    return _inspect(str(path), stat.st_mtime_ns, stat.st_size, {name: value for name, value in said.items() if value})


@st.cache_data(max_entries=16, show_spinner=False)
def _inspect(path: str, _changed: int, _size: int, said: dict[str, Any]) -> dict[str, Any]:
    request = {"do": "inspect", "path": path, "lenient": True} | said
    return ask("lab.data.child", request, timeout_s=INSPECTION_SECONDS)


def kind_in_words(code: str) -> str:
    """The kind of a data set in words."""
    return _(KINDS.get(code, code))


def found(report: dict[str, Any]) -> None:
    """What the file is, as a row of facts, and what is wrong in it line by line."""
    facts(
        [
            (_("Format"), str(report["format"]).upper(), str(report.get("encoding") or "")),
            (_("Rows"), number(report["rows"]), ""),
            (_("Columns"), number(len(report["columns"])), ""),
            (
                _("Looks like"),
                kind_in_words(str(report["kind"])) if report["kind"] else _("not recognised"),
                _("guessed from the columns") if report["kind"] else _("say below what a row is"),
            ),
        ],
        width=160,
    )


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
    what = say(problem) if problem.get("template") else str(problem.get("what", ""))
    line = problem.get("line")
    return _("Line {line}: {what}", line=number(line), what=what) if line else what


def mapping_form(report: dict[str, Any], name: str) -> tuple[str, dict[str, str]]:
    """Which kind of data it is and which column plays which role: guessed, shown, changeable."""
    codes = list(ROLES)
    kind = st.selectbox(
        _("The rows are"),
        codes,
        index=codes.index(report["kind"]) if report["kind"] in codes else None,
        key=f"kind-{name}",
        format_func=kind_in_words,
        placeholder=_("choose what a row is"),
        help=_("Guessed from the names and the content of the columns."),
    )
    if kind is None:
        return "", {}
    needed, optional = ROLES[kind]
    guess = report.get("mapping") or {}
    mapping = {}
    for role, column in zip((*needed, *optional), st.columns(len(needed) + len(optional)), strict=True):
        with column:
            chosen = _role(
                role,
                report["columns"],
                guess.get(role),
                name=f"role-{name}-{kind}-{role}",
                needed=role in needed,
            )
        if chosen:
            mapping[role] = chosen
    return kind, mapping


def _role(role: str, columns: list[str], guess: str | None, *, name: str, needed: bool) -> str | None:
    names = [str(column) for column in columns]
    return st.selectbox(
        _(ROLE_WORDS[role]),
        names,
        index=names.index(guess) if guess in names else None,
        key=name,
        placeholder=_("choose a column") if needed else _("none"),
    )


def missing_roles(kind: str, mapping: dict[str, str]) -> list[str]:
    """The roles that still need a column, in words."""
    return [_(ROLE_WORDS[role]) for role in ROLES.get(kind, ((), ()))[0] if role not in mapping]


def first_rows(report: dict[str, Any]) -> None:
    """The first rows as they stand in the file."""
    rows = [{key: _shown(value) for key, value in row.items()} for row in report.get("examples") or []]
    if rows:
        st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 250), alt=_("The first rows of the file."))


def _shown(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
