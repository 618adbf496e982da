"""Known fine-tunes: what was described, what was published, and what adds up."""

import streamlit as st

from lab.catalogue.search import COMPARATOR, find
from lab.errors import NotFoundError
from lab.ui import compare_view, layout, plan_adopt, recipe_list, recipe_view
from lab.ui.language import _
from lab.ui.menu import go


def show_list() -> None:
    with layout.head(_("Recipes"), _("Known fine-tunes: what was described, what was published, and what adds up.")):
        if st.button(_("Compare"), icon=":material/compare_arrows:", key="recipes-compare"):
            go("recipes", compare="")
    found = recipe_list.filters()
    if found:
        recipe_list.cards(found)
    else:
        st.info(_("No recipe matches. Take a filter away or search for another word."))


def back() -> None:
    if st.button(_("All recipes"), type="tertiary", icon=":material/arrow_back:", key="recipe-back"):
        go("recipes")


def show_one(chosen: str) -> None:
    back()
    try:
        one = find(chosen)
    except NotFoundError as error:
        layout.error_card(error)
        return
    with layout.head(one.name, recipe_view.purpose(one)):
        if st.button(_("Compare"), icon=":material/compare_arrows:", key="recipe-compare"):
            go("recipes", compare=one.id)
        plan = st.button(_("Plan with my numbers"), icon=":material/calculate:", key="recipe-plan")
        train = st.button(_("Train this"), icon=":material/play_arrow:", type="primary", key="recipe-train")
    if plan or train:
        plan_adopt.start_from(one)
        go("plan" if plan else "train")
    if one.kind == COMPARATOR and not recipe_view.audited(one.id):
        recipe_view.comparison(one)
        recipe_view.notes(one)
        return
    claims, computed = st.columns([5, 3], gap="large")
    with claims:
        recipe_view.comparison(one)
        recipe_view.notes(one)
    with computed:
        recipe_view.checks(one)


def show_comparison() -> None:
    back()
    layout.title(_("Compare recipes"), _("The same fields beside each other, with what the numbers themselves say."))
    chosen = compare_view.choose(compare_view.read_address())
    if len(chosen) == 1:
        compare_view.add_buttons(chosen)
    elif chosen:
        compare_view.table(chosen)
    compare_view.open_buttons(chosen)


if "compare" in st.query_params:
    show_comparison()
elif st.query_params.get("recipe"):
    show_one(st.query_params["recipe"])
else:
    show_list()
