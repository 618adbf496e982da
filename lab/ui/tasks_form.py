"""The tasks of a multi-task run: for each a name, one of the data sets that are there, and what it does."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

import streamlit as st

from lab.errors import LabError
from lab.runs import registry
from lab.spec.rules.task import KINDS, LABELLED
from lab.ui import draft, fits, forms, sources, words
from lab.ui.data_mapping import kind_in_words
from lab.ui.language import _, error_parts

HEADS = LABELLED[:3]  # what one task of several may do
FEWEST = 2


class Task(NamedTuple):
    """One task as the form holds it; `source` and `kind` are empty until they are chosen."""

    name: str
    source: str
    kind: str


def field(problems: Mapping[str, LabError]) -> None:
    """A card for each task, and the button for another one."""
    tasks = _tasks()
    for place, task in enumerate(tasks):
        _card(place, task, removable=len(tasks) > FEWEST or bool(task.source))
    for path in ("tasks.sources", "tasks.kinds") if all(task.source for task in tasks) else ():
        if problem := draft.wrong().get(path) or problems.get(path):
            st.markdown(":red[:material/error:] " + forms.plain(_what_is_wrong(problem)))
    st.button(_("Add a task"), icon=":material/add:", key="task-add", on_click=_add)


def _what_is_wrong(problem: LabError) -> str:
    """The sentence without the way out on the command line: the form itself is the way out."""
    return " ".join(filter(None, error_parts(problem)[:2]))


def _tasks() -> list[Task]:
    """The tasks of the draft; at least two, so that an empty form shows what it wants."""
    asked, kinds = draft.shown("tasks.sources") or {}, draft.shown("tasks.kinds") or {}
    tasks = [Task(name, source, str(kinds.get(name, ""))) for name, source in asked.items()]
    for number in range(len(tasks), FEWEST):
        tasks.append(Task(_free_name(f"task_{number + 1}", tasks), "", ""))
    return tasks


def _card(place: int, task: Task, *, removable: bool) -> None:
    with st.container(border=True, gap="small", key=f"task-{place}"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _data(place, task)
            if removable:
                _remove_button(place, task)
        called, does = st.columns(2)
        with called:
            _name(place, task)
        with does:
            _kind(place, task)
        _note(task)


def _name(place: int, task: Task) -> None:
    key = _keep(f"task-{place}-name", task.name)
    st.text_input(
        _("Name of the task"),
        key=key,
        max_chars=40,
        help=_("Letters, digits and underscores; its scores and its folder are called so."),
        on_change=_renamed,
        args=(place, key),
    )


def _remove_button(place: int, task: Task) -> None:
    label = _("Remove {task}", task=task.name)
    st.button("", icon=":material/close:", key=f"task-{place}-out", help=label, on_click=_remove, args=(place,))


def _data(place: int, task: Task) -> None:
    options = _data_sets()
    if task.source and task.source not in options:
        options = [*options, task.source]
    key = _keep(f"task-{place}-data", task.source or None)
    st.selectbox(
        _("Data set"),
        options,
        index=None,
        key=key,
        format_func=_data_name,
        accept_new_options=True,
        placeholder=_("choose one, or type a file"),
        help=_("Prepared data sets with labels or with answers inside a text."),
        on_change=_chose_data,
        args=(place, key),
        width="stretch",
    )


def _kind(place: int, task: Task) -> None:
    key = _keep(f"task-{place}-kind", task.kind if task.kind in HEADS else None)
    nothing_yet: dict[str, Any] = {} if task.kind in HEADS else {"index": None}
    st.selectbox(
        _("What it does"),
        HEADS,
        key=key,
        format_func=words.task,
        placeholder=_("choose"),
        on_change=_chose_kind,
        args=(place, key),
        **nothing_yet,
    )


def _note(task: Task) -> None:
    """The labels of the data set, or that its rows are for another task."""
    kind = fits.kind_of(task.source)
    if kind and task.kind and kind not in KINDS.get(task.kind, ()):
        asked, given = words.task(task.kind), kind_in_words(kind)
        said = _("The task {task} cannot learn from these rows: they are {kind}.", task=asked, kind=given)
        st.markdown(":red[:material/error:] " + said)
    elif task.source:
        fits.labels_note(task.source)


def _data_sets() -> list[str]:
    """The prepared sets that one of the tasks can learn from, newest first."""
    return [str(record["id"]) for record in registry.datasets() if record.get("kind") in HEADS]


def _data_name(source: str) -> str:
    kind = fits.kind_of(source)
    return f"{registry.name_of(source)} · {kind_in_words(kind)}" if kind else sources.data_name(source)


def _keep(key: str, value: str | None) -> str:
    """The input shows what the draft says, whatever was drawn in its place before."""
    st.session_state[key] = value
    return key


def _put(tasks: list[Task]) -> None:
    """Write the tasks into the draft; one without a name keeps its place under the one it had."""
    draft.put("tasks.sources", {task.name: task.source for task in tasks})
    draft.put("tasks.kinds", {task.name: task.kind for task in tasks if task.kind})


def _changed(place: int, **parts: str) -> None:
    tasks = _tasks()
    if place < len(tasks):
        tasks[place] = tasks[place]._replace(**parts)
        _put(tasks)


def _renamed(place: int, key: str) -> None:
    tasks = _tasks()
    others = [task for at, task in enumerate(tasks) if at != place]
    wanted = _as_name(str(st.session_state[key] or "")) or tasks[place].name
    _changed(place, name=_free_name(wanted, others))


def _chose_data(place: int, key: str) -> None:
    """A data set brings what the task does, and its name where nobody has named the task."""
    source = str(st.session_state[key] or "")
    parts, kind = {"source": source}, fits.kind_of(source)
    if kind in HEADS:
        parts["kind"] = kind
    tasks = _tasks()
    if source and re.fullmatch(r"task_\d+", tasks[place].name):
        called = _as_name(registry.name_of(source).partition(".")[0])
        parts["name"] = _free_name(called, tasks) if called else tasks[place].name
    _changed(place, **parts)


def _chose_kind(place: int, key: str) -> None:
    _changed(place, kind=str(st.session_state[key] or ""))


def _add() -> None:
    tasks = _tasks()
    _put([*tasks, Task(_free_name(f"task_{len(tasks) + 1}", tasks), "", "")])


def _remove(place: int) -> None:
    tasks = _tasks()
    _put([task for at, task in enumerate(tasks) if at != place])


def _as_name(text: str) -> str:
    """A text as the name of a task: ASCII letters, digits and underscores, not beginning with a digit."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_")[:40]
    return f"task_{name}" if name[:1].isdigit() else name


def _free_name(wanted: str, tasks: list[Task]) -> str:
    """The name, numbered where another task has it."""
    taken, number, name = {task.name for task in tasks}, 2, wanted
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name
