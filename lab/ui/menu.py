"""The menu: one flat list in the order of the work, with addresses that do not change with the language."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from lab.text import N_
from lab.ui.language import _, address_of_language

_FOLDER = Path(__file__).parents[2] / "pages"

# file and address, title, icon, help
_ENTRIES = (
    ("home", N_("Home"), "home", N_("Start here.")),
    ("recipes", N_("Recipes"), "menu_book", N_("Known fine-tunes: described, published, and what adds up.")),
    ("plan", N_("Plan"), "calculate", N_("Batch, steps, warmup, learning rate, memory and time from your numbers.")),
    ("data", N_("Data"), "table_rows", N_("See exactly what the model will learn from.")),
    ("train", N_("Train"), "model_training", N_("Start a short or a full fine-tune.")),
    ("runs", N_("Runs"), "monitoring", N_("Watch runs live, stop them, go on with them.")),
    ("review", N_("Review"), "compare", N_("Compare what the model says before and after.")),
    ("publish", N_("Publish"), "upload", N_("Put an adapter on the Hugging Face Hub.")),
)


def pages() -> list[StreamlitPage]:
    """The pages of the app, titled in the visitor's language."""
    return [
        st.Page(
            _FOLDER / f"{name}.py",
            title=_(title),
            icon=f":material/{icon}:",
            url_path="" if name == "home" else name,
            default=name == "home",
            help=_(help_text),
        )
        for name, title, icon, help_text in _ENTRIES
    ]


def page(name: str) -> str:
    """The path of a page's script, for `st.switch_page` and `st.page_link`."""
    return str(_FOLDER / f"{name}.py")


def go(name: str, **parameters: str) -> NoReturn:
    """Change to another page, or to another address of this one; the language goes along."""
    st.switch_page(page(name), query_params=address_of_language() | parameters)
