"""The frame around every page: theme rules, language, the menu, and the machine at the bottom of it."""

from pathlib import Path

import streamlit as st

from lab.runs.store import Busy
from lab.ui.language import _, choose_language
from lab.ui.layout import error_card, style_page
from lab.ui.machine import machine_line
from lab.ui.menu import pages

ICON = Path(__file__).parent.parent / "lab" / "ui" / "icon.png"

st.set_page_config(page_title="Fine-Tuning Lab", page_icon=str(ICON), layout="wide")
st.logo(str(ICON.with_name("wordmark_dark.svg" if st.context.theme.type == "dark" else "wordmark.svg")), size="medium")
style_page()

with st.sidebar:
    choose_language()
    st.caption(machine_line())

page = st.navigation(pages(), position="sidebar", expanded=True)
st.html(
    f"<script>document.documentElement.lang = '{st.session_state.get('lang') or 'en'}';</script>",
    unsafe_allow_javascript=True,
)
st.set_page_config(page_title=_("{page} - Fine-Tuning Lab", page=page.title))
try:
    page.run()
except Busy as error:
    error_card(error)
