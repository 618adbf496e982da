"""A file before it is prepared: what the lab found in it, and which column plays which role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.presets import presets_dir
from lab.runs.child import ask
from lab.text import N_
from lab.ui import actions, draft, forms, uploads
from lab.ui.format import number
from lab.ui.language import _, ngettext, say
from lab.ui.layout import error_card, facts
from lab.ui.menu import page
from lab.ui.run_list import short_source

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
ENCODINGS = (
    "cp1252",
    "latin-1",
    "iso-8859-15",
    "iso-8859-2",
    "mac-roman",
    "cp850",
    "cp1251",
    "gb18030",
    "shift_jis",
    "euc-kr",
)


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


def encoding_choice(upload: uploads.Upload) -> None:
    """The encoding of a file that is neither UTF-8 nor UTF-16, for a person to name."""
    st.selectbox(
        _("Encoding"),
        ["", *ENCODINGS],
        key=f"encoding-{upload.id}",
        format_func=lambda code: code or _("found by the lab"),
        help=_("cp1252 is what Windows programs write in Western Europe and America."),
        width=240,
    )


def encoding_of(upload: uploads.Upload) -> str:
    """The encoding that a person named, or an empty text."""
    return str(st.session_state.get(f"encoding-{upload.id}") or "")


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


def upload_box() -> None:
    """A place for a file of at most 200 MB; it is written to disk at once and forgotten by the page."""
    turn = int(st.session_state.get("data-upload-turn", 0))
    file = st.file_uploader(
        _("CSV, TSV, JSON or JSONL, up to {size} MB", size=uploads.MOST_MEGABYTES),
        key=f"data-upload-{turn}",
        max_upload_size=uploads.MOST_MEGABYTES,
        help=_("The file stays on this machine. A larger one: python -m lab data prepare FILE"),
    )
    if file is None:
        st.caption(
            _("One row for each example: a question and its answer, an instruction, a conversation, or plain text.")
        )
        return
    try:
        kept = uploads.keep(file, file.name)
    except LabError as error:
        error_card(error)
        return
    st.session_state["data-upload-turn"] = turn + 1  # a new widget: the bytes of the old one are let go
    st.switch_page(page("data"), query_params={"upload": kept})


def name_line(upload: uploads.Upload) -> None:
    """The name of the file, and the way to another one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(":material/description:", width="content")
        st.text(upload.name, width="content")
        if st.button(_("Another file"), type="tertiary", icon=":material/close:", key="data-other"):
            uploads.forget(upload.id)
            st.switch_page(page("data"))


def demo_choice() -> None:
    """The embedded question set, and how to prepare it."""
    st.markdown(
        _(
            "Questions about the modules of Python's standard library, each with the first sentence of its "
            "documentation. One module in six is held out: nobody asks about it in training."
        )
    )
    try:
        report = inspect(presets_dir() / "demo" / "questions.jsonl")
    except LabError as error:
        error_card(error)
        return
    found(report)
    first_rows(report)
    preparation_form()
    if st.button(_("Prepare"), type="primary", icon=":material/play_arrow:", key="data-prepare-demo"):
        _prepare({"demo": True, "name": "demo"} | parameters("", {}), name="prepare-demo")


def prepare_form(report: dict[str, Any], upload: uploads.Upload) -> None:
    """Mapping and settings of an uploaded file, and the button whose label names what is missing."""
    st.subheader(_("What is what"), anchor=False)
    kind, mapping = mapping_form(report, upload.id)
    _what_to_know(report, upload, kind, mapping)
    st.subheader(_("How the rows become examples"), anchor=False)
    preparation_form()
    missing = missing_roles(kind, mapping)
    wrong = [
        path for path in ("data.template", "data.max_length", "data.validation_share", "seed") if path in draft.wrong()
    ]
    label = _("Prepare")
    if not kind:
        label = _("Say what a row is")
    elif missing:
        label = _("Choose the column: {role}", role=missing[0])
    elif wrong:
        label = _("Correct the settings")
    pressed = st.button(
        label,
        type="primary",
        icon=":material/play_arrow:",
        key="data-prepare",
        disabled=bool(not kind or missing or wrong),
    )
    if pressed:
        given = {
            "path": str(upload.path),
            "name": Path(upload.name).stem[:80],
            "encoding": encoding_of(upload) or None,
            "upload": upload.id,
        }
        _prepare(given | parameters(kind, mapping), name=f"prepare-{upload.id}")


def _what_to_know(report: dict[str, Any], upload: uploads.Upload, kind: str, mapping: dict[str, str]) -> None:
    """The problems of the file, read again with the mapping where a person changed the guess."""
    if not kind or missing_roles(kind, mapping):
        return
    if (kind, mapping) != (
        report["kind"],
        {role: column for role, column in report["mapping"].items() if role in mapping},
    ):
        try:
            report = inspect(upload.path, name=upload.name, kind=kind, mapping=mapping, encoding=encoding_of(upload))
        except LabError as error:
            error_card(error)
            return
    problems(report["problems"])


def _prepare(request: dict[str, Any], *, name: str) -> None:
    run = actions.start_request("prepare", request, name=name)
    if run is None:
        st.rerun()
    st.switch_page(page("data"), query_params={"prepare": str(run)})


def preparation_form() -> None:
    """How the rows become examples: template, length, held-out share; the rest one click away."""
    forms.group(["data.template", "data.max_length", "data.validation_share"], columns=3)
    model = short_source(str(draft.shown("model.source")))
    with st.expander(_("Expert settings"), icon=":material/tune:"):
        forms.group(["data.completion_only", "data.too_long", "seed"], columns=3)
    with st.container(horizontal=True, gap="small"):
        st.caption(_("Tokens are counted with the tokenizer of the model chosen on the Train page:"), width="content")
        st.text(model, width="content")


def parameters(kind: str, mapping: dict[str, str]) -> dict[str, Any]:
    """The settings of a preparation, from the draft."""
    return {
        "kind": kind or None,
        "mapping": mapping or None,
        "model": draft.shown("model.source"),
        "template": draft.shown("data.template"),
        "max_length": draft.shown("data.max_length"),
        "too_long": draft.shown("data.too_long"),
        "completion_only": draft.shown("data.completion_only"),
        "validation_share": draft.shown("data.validation_share"),
        "seed": draft.shown("seed"),
    }
