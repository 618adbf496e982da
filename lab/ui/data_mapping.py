"""Which kind of data a file holds and which column plays which role: guessed, shown with a live row, changeable."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab.text import N_
from lab.ui import data_charts, data_example, data_said
from lab.ui.format import share
from lab.ui.language import _, ngettext

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
# The roles of each kind: those that need a column, and those that may stay empty.
ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "instruction": (("instruction", "output"), ("input",)),
    "question-answer": (("question", "answer"), ("context",)),
    "prompt-completion": (("prompt", "completion"), ()),
    "messages": (("messages",), ("system",)),
    "text": (("text",), ()),
    "preference": (("chosen", "rejected"), ("prompt",)),
    "classification": (("text", "label"), ("text_pair",)),
    "token-classification": (("tokens", "tags"), ()),
    "extractive-qa": (("context", "question", "answers"), ()),
}
ROLE_WORDS = {
    "instruction": N_("Instruction"),
    "input": N_("Input"),
    "output": N_("Answer"),
    "question": N_("Question"),
    "answer": N_("Answer"),
    "answers": N_("Answers with their places"),
    "context": N_("Context"),
    "prompt": N_("Prompt"),
    "completion": N_("Completion"),
    "messages": N_("Messages"),
    "tools": N_("Tools"),
    "system": N_("System prompt"),
    "text": N_("Text"),
    "text_pair": N_("Second text"),
    "label": N_("Label"),
    "tokens": N_("Words"),
    "tags": N_("Labels of the words"),
    "chosen": N_("Preferred answer"),
    "rejected": N_("Rejected answer"),
    "id": N_("Id"),
    "impossible": N_("No answer in the text"),
}
_UNASKED = ("id", "impossible")  # what the reader finds for itself and nobody has to choose


def kind_in_words(code: str) -> str:
    """The kind of a data set in words."""
    return _(KINDS.get(code, code))


def mapping_form(report: dict[str, Any], name: str) -> tuple[str, dict[str, str]]:
    """Draw the kind and the roles on the left, one row read with them on the right; returns what is chosen."""
    left, right = st.columns([2, 3], gap="large")
    with left:
        kind = _kind(report, name)
        mapping = _roles(report, kind, name) if kind else {}
    with right:
        _live_example(report, kind, mapping, name)
    return kind, mapping


def missing_roles(kind: str, mapping: dict[str, str]) -> list[str]:
    """The roles that still need a column, in words."""
    if kind == "preference" and {"prompt", "completion", "label"} <= set(mapping):
        return []
    needed = ROLES.get(kind, ((), ()))[0]
    if kind == "preference" and "messages" in mapping:  # unpaired: a conversation and whether it is wanted
        needed = ("messages", "label")
    return [_(ROLE_WORDS.get(role, role)) for role in needed if role not in mapping]


def labels(report: dict[str, Any]) -> None:
    """How often each label occurs, in the order in which the reader counted them."""
    counted, words = _counted(report.get("labels")), report["kind"] == "token-classification"
    bare = counted.pop("O", 0) if words else 0  # most words; beside them no bar of a label could be seen
    if not counted:
        return
    st.subheader(_("Labels"), anchor=False)
    data_charts.label_bars(counted, key="data-labels", unit=_("labelled words") if words else _("rows"))
    if bare:
        part = share(bare / (bare + sum(counted.values())))
        st.caption(
            ngettext("{count} word, {part}, has no label.", "{count} words, {part}, have no label.", bare, part=part)
        )


def _counted(found: Any) -> dict[str, int]:
    if isinstance(found, dict):
        return {str(label): int(count) for label, count in found.items()}
    pairs = found if isinstance(found, list) else []
    return {str(pair[0]): int(pair[1]) for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2}


def _kind(report: dict[str, Any], name: str) -> str:
    codes, key = list(ROLES), f"kind-{name}"
    guess = report["kind"]
    first = data_said.said(name, "kind").get("kind", guess)
    chosen = st.selectbox(
        _("The rows are"),
        codes,
        index=codes.index(first) if first in codes else None,
        key=key,
        on_change=_say,
        args=(name, "kind", "kind", key),
        format_func=kind_in_words,
        placeholder=_("choose what a row is"),
        help=_("Guessed from the names and the content of the columns."),
        persist_state="session",
    )
    if chosen and chosen == guess:
        st.caption(_("Found from the columns; change it if it is wrong."))
    elif not guess:
        st.caption(_("No column goes by a name that the lab knows. Say what a row is."))
    return str(chosen or "")


def _roles(report: dict[str, Any], kind: str, name: str) -> dict[str, str]:
    guess = (report.get("mapping") or {}) if kind == report["kind"] else {}
    needed, optional = ROLES[kind]
    extra = tuple(role for role in guess if role not in (*needed, *optional))  # roles that only the reader knows
    if kind == "preference" and guess and not set(needed) <= set(guess):
        needed, optional, extra = tuple(guess), (), ()
    if len(report["columns"]) == 1 and len(needed) == 1 and guess.get(needed[0]):
        return {str(role): str(column) for role, column in guess.items()}
    mapping = {role: str(guess[role]) for role in extra if role in _UNASKED}
    for role in (*needed, *optional, *(role for role in extra if role not in _UNASKED)):
        chosen = _role(role, report["columns"], guess.get(role), upload=name, kind=kind, needed=role in needed)
        if chosen:
            mapping[role] = chosen
    return mapping


def _role(role: str, columns: list[str], guess: str | None, *, upload: str, kind: str, needed: bool) -> str | None:
    names, key = [str(column) for column in columns], f"role-{upload}-{kind}-{role}"
    if guess and guess not in names:  # a nested column, such as data.question
        names.append(str(guess))
    first = data_said.said(upload, "roles").get(f"{kind}/{role}", guess)
    return st.selectbox(
        _(ROLE_WORDS.get(role, role)),
        names,
        index=names.index(first) if first in names else None,
        key=key,
        placeholder=_("choose a column") if needed else _("none"),
        persist_state="session",
        on_change=_say,
        args=(upload, "roles", f"{kind}/{role}", key),
    )


def _say(upload: str, part: str, name: str, key: str) -> None:
    """Keep a choice for the next visit; an emptied one is an answer, too."""
    data_said.say(upload, part, name, str(st.session_state.get(key) or ""))


def _live_example(report: dict[str, Any], kind: str, mapping: dict[str, str], name: str) -> None:
    rows = report.get("examples") or []
    if not rows or not kind:
        st.caption(_("An example appears here as soon as the lab knows what a row is."))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_("One row, as it will be understood"), width="stretch")
        shown = 1
        if len(rows) > 1:
            shown = st.pagination(len(rows), key=f"example-{name}", max_visible_pages=5)
    row = rows[min(shown, len(rows)) - 1]
    if missing := missing_roles(kind, mapping):
        with st.container(border=True):
            st.caption(_("Choose the column: {role}", role=missing[0]))
        return
    data_example.draw(kind, {role: data_example.value_of(row, column) for role, column in mapping.items()})
