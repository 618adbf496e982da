"""The list of recipes: search and filters above, one card for each, published runs apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from lab.catalogue.recipes import Recipe
from lab.catalogue.search import COMPARATOR, HARDWARE, PURPOSES, SIZES, everything, matching, properties
from lab.ui import words
from lab.ui.language import _, ngettext
from lab.ui.menu import go
from lab.ui.recipe_view import audited, purpose, standing

_MORE = ("purpose", "size", "hardware", "family")
_SEARCH, _FILTERS = "search", ("method", "task", *_MORE)
_READ = "recipes-address-read"


def filters() -> Sequence[Recipe]:
    """Search and two choices in one line, the other properties one click away; returns what they leave.

    What is chosen stands in the address, so that a colleague opens the same list.
    """
    _read_address()
    columns = st.columns([5, 3, 3, 3], vertical_alignment="bottom")
    with columns[0]:
        st.text_input(
            _("Search"),
            key="recipes-search",
            type="search",
            placeholder=_("name, model, data or goal"),
            icon=":material/search:",
            live=True,
            persist_state="session",
        )
    with columns[1]:
        _choice("method", _("Method"), words.method)
    with columns[2]:
        _choice("task", _("Task"), words.task)
    with columns[3]:
        _more_filters()
    _write_address()
    wanted = {name: st.session_state.get(f"recipes-{name}") for name in ("method", "task", *_MORE)}
    return matching(str(st.session_state.get("recipes-search") or ""), wanted)


def _codes(name: str) -> list[str]:
    """What some recipe has of a property."""
    return list(dict.fromkeys(code for one in everything() for code in properties(one.id)[name]))


def _read_address() -> None:
    """Take over the filters of the address, once for each visitor; what no recipe has is left out."""
    if st.session_state.get(_READ):
        return
    st.session_state[_READ] = True
    words_of = st.query_params.get(_SEARCH, "")
    if words_of:
        st.session_state["recipes-search"] = words_of
    for name in _FILTERS:
        if st.query_params.get(name) in _codes(name):
            st.session_state[f"recipes-{name}"] = st.query_params[name]


def _write_address() -> None:
    for name in (_SEARCH, *_FILTERS):
        chosen = str(st.session_state.get(f"recipes-{name}") or "")
        if chosen and st.query_params.get(name) != chosen:
            st.query_params[name] = chosen
        elif not chosen and name in st.query_params:
            del st.query_params[name]


def _more_filters() -> None:
    chosen = sum(bool(st.session_state.get(f"recipes-{name}")) for name in _MORE)
    label = _("More filters") + (f" · {chosen}" if chosen else "")
    with st.popover(label, icon=":material/tune:", width="stretch", key="recipes-more"):
        _choice("purpose", _("Purpose"), lambda code: _(PURPOSES.get(code, code)))
        _choice("size", _("Size of the model"), lambda code: _(SIZES[code]))
        _choice("hardware", _("Hardware"), lambda code: _(HARDWARE[code]))
        _choice("family", _("Model family"), words.choice)


def _choice(name: str, label: str, word: Callable[[str], str]) -> None:
    """One property to filter by; its options are what some recipe has, in the order of the words."""
    known = _codes(name)
    ordered = [code for code in (*PURPOSES, *SIZES, *HARDWARE) if code in known] if name in _MORE[:3] else []
    st.selectbox(
        label,
        ordered or known,
        index=None,
        key=f"recipes-{name}",
        format_func=word,
        placeholder=_("any"),
        persist_state="session",
    )


def cards(found: Sequence[Recipe]) -> None:
    """What was found: the recipes of the documents, then the published runs to compare them with."""
    described = [one for one in found if one.kind != COMPARATOR]
    published = [one for one in found if one.kind == COMPARATOR]
    if described:
        st.caption(ngettext("{count} recipe", "{count} recipes", len(described)))
        _grid(described)
    if published:
        st.caption(ngettext("{count} published run to compare with", "{count} published runs to compare with",
                            len(published)))  # fmt: skip
        _grid(published)


def _grid(found: Sequence[Recipe]) -> None:
    with st.grid("auto", min_column_width=240):
        for one in found:
            with st.container(border=True, key=f"recipe-card-{one.id}", height="stretch", gap="xxsmall"):
                if st.button(f"**{one.name}**", type="tertiary", key=f"recipe-{one.id}"):
                    go("recipes", recipe=one.id)
                st.caption(purpose(one))
                checks = audited(one.id)
                if checks or one.kind != COMPARATOR:
                    st.markdown(standing(checks))
