"""Known fine-tunes: what was described, what was published, and what adds up."""

import streamlit as st

from lab.catalogue.recipes import recipe
from lab.errors import NotFoundError
from lab.ui import draft, layout, recipe_view
from lab.ui.language import _
from lab.ui.menu import page


def show_list() -> None:
    layout.title(_("Recipes"), _("Known fine-tunes: what was described, what was published, and what adds up."))
    recipe_view.filters()
    found = recipe_view.catalogue()
    if found:
        recipe_view.cards(found)
    else:
        st.info(_("No recipe matches. Take a filter away or search for another word."))


def show_one(chosen: str) -> None:
    if st.button(_("All recipes"), type="tertiary", icon=":material/arrow_back:", key="recipe-back"):
        st.switch_page(page("recipes"))
    try:
        one = recipe(chosen)
    except NotFoundError as error:
        layout.error_card(error)
        return
    with layout.head(one.name, recipe_view.purpose(one)):
        plan = st.button(_("Plan with my numbers"), icon=":material/calculate:", key="recipe-plan")
        train = st.button(_("Train this"), icon=":material/play_arrow:", type="primary", key="recipe-train")
    if plan or train:
        draft.start_from(one.id)
        st.switch_page(page("plan" if plan else "train"))
    claims, computed = st.columns([5, 3], gap="large")
    with claims:
        recipe_view.comparison(one)
        recipe_view.notes(one)
    with computed:
        recipe_view.checks(one)


chosen = st.query_params.get("recipe")
if chosen:
    show_one(chosen)
else:
    show_list()
