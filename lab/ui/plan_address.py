"""The plan in the address of its page, so that a colleague who opens it sees the same numbers.

`?recipe=alpaca&set=schedule.learning_rate:1e-5&set=...&device=h100`: the recipe, every setting that differs from it,
and the other calculators' inputs. It is read once, when a visitor arrives, and written after each change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from lab.catalogue.recipes import recipe
from lab.errors import LabError
from lab.runs import registry
from lab.runs.home import is_id
from lab.spec import read_overrides
from lab.ui import draft, plan_adopt
from lab.ui.estimate import Estimate
from lab.ui.layout import error_card

_READ = "plan-address-read"
_MOST = 100  # settings in an address; there are fewer

Reader = Callable[[str], Any]


def read(extras: Mapping[str, tuple[str, Reader]]) -> None:
    """Take over what the address names, once for each visitor; what cannot be used is said and left out.

    `extras` are the inputs that are no settings: name in the address -> (key of the widget, reader). A reader returns
    None for a text that the widget cannot hold.
    """
    if st.session_state.get(_READ):
        return
    st.session_state[_READ] = True
    problems: list[LabError] = []
    pairs = st.query_params.get_all("set")[:_MOST]
    chosen = _recipe(problems)
    if pairs or chosen:
        plan_adopt.adopt(chosen, _values(pairs, problems))
    for name, (key, reader) in extras.items():
        value = reader(st.query_params.get(name, ""))
        if value is not None:
            st.session_state[key] = value
    for problem in problems:
        error_card(problem)


def write(now: Estimate, extras: Mapping[str, tuple[str, Reader]]) -> None:
    """Put the draft and the other inputs into the address, if it says something else."""
    _put("recipe", draft.recipe_id())
    pairs = [f"{path}:{_text(draft.shown(path))}" for path in draft.own_paths()]
    if is_id(now.spec.data.source) and now.made.inputs.examples and "data.examples" not in draft.own_paths():
        # The data set is known on this machine only; the number of its rows is what the plan needs.
        pairs.append(f"data.examples:{now.made.inputs.examples}")
    if st.query_params.get_all("set") != pairs:
        st.query_params["set"] = pairs
    for name, (key, reader) in extras.items():
        text = _text(st.session_state.get(key))
        _put(name, text if reader(text) is not None else "")  # what the reader refuses is the usual choice


def _put(name: str, text: str) -> None:
    if text and st.query_params.get(name) != text:
        st.query_params[name] = text
    elif not text and name in st.query_params:
        del st.query_params[name]


def _recipe(problems: list[LabError]) -> str:
    name = st.query_params.get("recipe", "")
    try:
        return recipe(name).id if name else ""
    except LabError as error:
        problems.append(error)
        return ""


def _values(pairs: list[str], problems: list[LabError]) -> dict[str, Any]:
    """The settings of `path:value` pairs; a name that is no setting becomes a problem."""
    values: dict[str, Any] = {}
    for pair in pairs:
        path, _colon, text = pair.partition(":")
        try:
            values |= read_overrides([f"{path}={text}"])
        except LabError as error:
            problems.append(error)
    if _is_here(values.get("data.source")):
        values.pop("data.examples", None)  # written for those who do not have the data set
    return values


def _is_here(source: Any) -> bool:
    """Whether a data set was prepared on this machine."""
    if not is_id(str(source or "")):
        return False
    try:
        registry.dataset(source)
    except LabError:
        return False
    return True


def _text(value: Any) -> str:
    """A value as `read_overrides` reads it back."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return ",".join(f"{role}:{column}" for role, column in value.items())
    return str(value)
