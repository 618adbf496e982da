"""English and French: the sentence is its own key, French comes from the catalogue beside this file.

Nothing is translated at import time, in a cached function or in stored data: message and values are kept apart and
meet when something is drawn.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from lab.errors import LabError
from lab.spec import settings

LANGUAGES = ("en", "fr")
_FOLDER = Path(__file__).parent / "locale"


@lru_cache
def known_settings() -> dict[str, str]:
    """The English label of every setting, by its dotted name."""
    return {setting.path: setting.label for setting in settings()}


@lru_cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("lab", str(_FOLDER), [language], fallback=True)


def browser_language() -> str:
    """The first of our languages that the visitor's browser asks for."""
    code = (st.context.locale or "en")[:2].lower()
    return code if code in LANGUAGES else "en"


def language() -> str:
    """The language in which this session is drawn: the one chosen, else the browser's."""
    chosen = st.session_state.get("lang")
    return chosen if chosen in LANGUAGES else browser_language()


def _(message: str, **values: Any) -> str:
    """`message` in the visitor's language with its named placeholders filled."""
    text = _catalogue(language()).gettext(message) if message else ""
    return text.format(**values) if values else text


def translator() -> Callable[[str], str]:
    """The visitor's catalogue as a function, for text that is made outside of the page's own run."""
    catalogue = _catalogue(language())
    return lambda message: catalogue.gettext(message) if message else ""


def ngettext(one: str, many: str, count: int, **values: Any) -> str:
    """The singular or plural of a sentence, by the rules of the visitor's language, with `{count}` as `number`."""
    shown = f"{count:,}".replace(",", "\u202f" if language() == "fr" else ",")
    return _catalogue(language()).ngettext(one, many, count).format(count=shown, **values)


def say(record: Mapping[str, Any]) -> str:
    """Draw a stored sentence: {"template", "values"} as events, verdicts and errors carry it."""
    values = dict(record.get("values") or {})
    template = str(record.get("template") or record.get("message") or "")
    text = _catalogue(language()).gettext(template) if template else ""
    return text.format(**values) if values else text


def error_parts(error: LabError) -> tuple[str, str, str]:
    """What happened, what is allowed and what to do next, in the visitor's language."""
    values = dict(error.values)
    if values.get("path") in known_settings():  # a person knows the label of a setting, not its dotted name
        values["path"] = _(known_settings()[str(values["path"])])

    def part(template: str) -> str:
        return _(template, **values) if template else ""

    return part(error.template), part(error.allowed), part(error.next)


def choose_language() -> None:
    """The small language switch; a choice stays in the address of every page, for a reload or somebody else.

    The switch is not bound to the address by Streamlit, which then refuses to change page with other parameters.
    """
    named = st.query_params.get("lang", "")
    st.session_state.setdefault("lang", named if named in LANGUAGES else browser_language())
    st.segmented_control(_("Language"), LANGUAGES, required=True, key="lang", label_visibility="collapsed")
    if named != language() and (named or language() != browser_language()):
        st.query_params["lang"] = language()


def address_of_language() -> dict[str, str]:
    """The language as the address of this page names it, for the address of the next one."""
    named = st.query_params.get("lang", "")
    return {"lang": named} if named in LANGUAGES else {}
