"""Inputs drawn from the declaration of the spec: label, help, unit, range and error come from one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.spec import Setting, setting_at, settings
from lab.ui import draft, words
from lab.ui.format import learning_rate
from lab.ui.language import _, error_parts

_LABEL_LENGTH = 22  # characters that fit beside the help mark in half a column


def field(
    path: str,
    *,
    options: Sequence[str] | None = None,
    names: Callable[[str], str] = str,
    label: str = "",
    problem: LabError | None = None,
) -> None:
    """Draw the input of one setting; what is typed goes into the draft.

    `options` offers known values for free text (a model, a data set) without forbidding others; `names` is what they
    are called. `problem` is drawn below the input.
    """
    setting = setting_at(path)
    key = f"set-{path}"
    value = _as_typed(setting, draft.shown(path), options)
    st.session_state[key] = value
    if options is not None and value and value not in options:
        options = [*options, value]
    _draw(setting, label or _label(setting), key, options, names)
    _below(path, key, problem)


def group(paths: Sequence[str], columns: int = 2, problems: Mapping[str, LabError] | None = None) -> None:
    """Several inputs side by side; one column on a phone."""
    for start in range(0, len(paths), columns):
        for column, path in zip(st.columns(columns), paths[start : start + columns], strict=False):
            with column:
                field(path, problem=(problems or {}).get(path))


def expert_paths(shown: Sequence[str]) -> dict[str, list[str]]:
    """Every other setting by group, for the expert part of a form."""
    groups: dict[str, list[str]] = {}
    for setting in settings():
        if setting.path not in shown and setting.path not in ("recipe", "name"):
            groups.setdefault(setting.group, []).append(setting.path)
    return groups


def _label(setting: Setting) -> str:
    """The name of a setting with its unit, unless the name says it already or grows too long for half a column."""
    name, unit = _(setting.label), _(setting.unit)
    if not unit or unit.lower() in name.lower() or len(name) + len(unit) > _LABEL_LENGTH:
        return name
    return f"{name} ({unit})"


def _draw(setting: Setting, name: str, key: str, options: Sequence[str] | None, names: Callable[[str], str]) -> None:
    common: dict[str, Any] = {
        "key": key,
        "help": _(setting.help) + (" " + _("Unit: {unit}.", unit=_(setting.unit)) if setting.unit else ""),
        "on_change": _changed,
        "args": (setting.path, key),
    }
    if setting.kind == "boolean":
        st.checkbox(name, **common)
    elif setting.kind == "choice":
        st.selectbox(name, setting.choices, format_func=words.choice, **common)
    elif setting.kind == "list" and setting.choices:
        st.multiselect(name, setting.choices, format_func=words.choice, placeholder=_("none"), **common)
    elif options is not None:
        st.selectbox(
            name,
            list(options),
            index=None,
            format_func=names,
            accept_new_options=True,
            placeholder=_("choose one, or type another"),
            **common,
        )
    elif setting.kind == "integer":
        # Whole numbers are read as floats: of 1e99 or 2.5 a browser's whole-number field keeps the 1 and the 2.
        empty: dict[str, Any] = {"value": None, "placeholder": _("automatic")} if setting.optional else {}
        st.number_input(name, step=1.0, format="%g", **empty, **common)
    else:
        st.text_input(name, placeholder=_("automatic") if setting.optional else "", **common)


def _below(path: str, key: str, problem: LabError | None) -> None:
    """What is wrong with the value, or the recipe's value and the way back to it."""
    error = draft.wrong().get(path) or problem
    if error:
        what, allowed, following = error_parts(error)
        st.markdown(":red[:material/error:] " + plain(" ".join(filter(None, (what, allowed, following)))))
    if draft.is_own(path) and draft.recipe_id():
        st.button(
            _("recipe: {value}, reset", value=_brief(draft.reference(path))),
            key=f"reset-{key}",
            type="tertiary",
            icon=":material/undo:",
            wrap=True,
            on_click=draft.reset,
            args=(path,),
        )


def _changed(path: str, key: str) -> None:
    setting = setting_at(path)
    value = st.session_state[key]
    if setting.kind == "list" and isinstance(value, str):
        text = value.strip()
        value = text if text == "all-linear" else [part.strip() for part in text.split(",") if part.strip()]
    elif setting.kind == "mapping" and isinstance(value, str):
        pairs = [part.partition(":") for part in value.split(",") if part.strip()]
        value = {role.strip(): column.strip() for role, _colon, column in pairs}
    elif value == "" and setting.optional:
        value = None
    elif value is None and setting.kind == "text":
        value = ""
    elif setting.kind == "integer" and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    draft.put(path, value)


def _as_typed(setting: Setting, value: Any, options: Sequence[str] | None) -> Any:
    """The value in the form that the input widget holds."""
    if setting.kind == "integer":
        return float(value) if isinstance(value, int) else value
    if setting.kind == "boolean" or setting.kind == "choice":
        return value
    if setting.kind == "number":
        return _number_text(value)
    if isinstance(value, list):
        return value if setting.choices else ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{role}: {column}" for role, column in value.items())
    if options is not None:
        return value or None
    return "" if value is None else str(value)


def _number_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and 0 < abs(value) < 1e-2:
        return learning_rate(value)
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _brief(value: Any) -> str:
    if value is None:
        return _("automatic")
    if isinstance(value, list):
        return ", ".join(value)
    return _number_text(value) if isinstance(value, float) else str(value)


def plain(text: str) -> str:
    """Text inside Markdown that must stay as it is."""
    return "".join("\\" + character if character in "\\`*_{}[]()#+-.!|<>$~:" else character for character in text)
