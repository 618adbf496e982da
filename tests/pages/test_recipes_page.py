"""The recipes page: a list that can be searched, and each recipe with what was said, published and computed."""

import json

import pytest
from page_driver import address, html_of, open_page, text_of

from lab.catalogue.recipes import comparators, recipes
from lab.models.location import locate
from lab.ui.recipe_view import _linked

ASKED_FOR = (
    "alpaca",
    "vicuna",
    "dolly_v2",
    "alpaca_lora",
    "gpt2_large_qa_qlora",
    "llama32_1b_qa_qlora",
    "demo",
)
PUBLISHED = [one.id for one in comparators()]


def shown_recipes(app):
    return [button.key.removeprefix("recipe-") for button in app.button if button.key.startswith("recipe-")]


def test_the_list_shows_every_recipe_and_every_published_run():
    app = open_page("recipes")
    shown = shown_recipes(app)
    assert set(ASKED_FOR) <= set(shown)
    assert len(shown) == len(recipes()) + len(comparators())
    assert "15 published runs" in text_of(app)


def test_search_and_filters_narrow_the_list():
    app = open_page("recipes")
    app.text_input(key="recipes-search").set_value("alpaca").run()
    found = shown_recipes(app)
    assert "alpaca" in found and "vicuna" not in found
    app.text_input(key="recipes-search").set_value("").run()
    app.selectbox(key="recipes-method").set_value("full").run()
    found = shown_recipes(app)
    assert "alpaca" in found and "alpaca_lora" not in found
    app.text_input(key="recipes-search").set_value("no such thing").run()
    assert not shown_recipes(app)
    assert "No recipe matches" in str(app.info[0].value)


@pytest.mark.parametrize(
    ("name", "code", "found", "other"),
    [
        ("purpose", "comparator", "zephyr_7b_qlora", "alpaca"),
        ("purpose", "use-case", "setup2_standard", "alpaca"),
        ("hardware", "one", "alpaca_lora", "llama2_chat"),
        ("hardware", "many", "llama2_chat", "alpaca_lora"),
        ("size", "large", "lima_65b", "alpaca"),
        ("family", "encoder", "bert_imdb", "alpaca"),
        ("task", "classification", "bert_imdb", "alpaca"),
    ],
)
def test_a_recipe_is_found_by_each_of_its_properties(name, code, found, other):
    app = open_page("recipes")
    app.selectbox(key=f"recipes-{name}").set_value(code).run()
    assert not app.exception
    shown = shown_recipes(app)
    assert found in shown and other not in shown


def test_the_ratings_of_the_documents_are_named_as_the_authors():
    shown = html_of(open_page("recipes", recipe="alpaca"))
    assert "Author&#x27;s rating" in shown
    assert "3 of 5" in shown


def test_recipes_stand_side_by_side_with_their_differences_only():
    app = open_page("recipes", compare="alpaca,zephyr_7b_full,vicuna")
    shown = html_of(app)
    assert "Gradient accumulation" in shown and "Computed" in shown
    assert "Data generator" not in shown and "Origin of the data" not in shown  # only Alpaca names it
    assert "is the same" in text_of(app) or "are the same" in text_of(app)
    app.toggle(key="compare-all").set_value(True).run()
    assert "Origin of the data" in html_of(app)


def test_the_choice_of_the_comparison_stays_in_the_address():
    app = open_page("recipes", compare="alpaca")
    app.button(key="compare-add-vicuna").click().run()
    assert not app.exception
    assert address(app, "compare") == "alpaca,vicuna"
    assert app.multiselect(key="compare-chosen").value == ["alpaca", "vicuna"]


def test_a_comparison_of_what_does_not_exist_says_so_and_shows_the_rest():
    app = open_page("recipes", compare="alpaca,<i>none</i>,vicuna,tulu3,lima_65b,olmo_7b_sft")
    assert "There is no recipe called" in text_of(app)
    assert app.multiselect(key="compare-chosen").value == ["alpaca", "vicuna", "tulu3", "lima_65b"]


def test_a_published_run_lends_its_numbers_to_the_plan():
    app = open_page("recipes", recipe="zephyr_7b_qlora")
    assert "The document" not in html_of(app)
    app.button(key="recipe-plan").click().run()
    assert not app.exception
    assert app.title[0].value == "Plan"
    assert app.number_input(key="set-schedule.accumulation").value == 2
    assert app.text_input(key="set-schedule.warmup").value == "0.1"


def test_a_recipe_opens_from_the_list():
    app = open_page("recipes")
    app.button(key="recipe-alpaca").click().run()
    assert not app.exception
    assert app.title[0].value == "Alpaca (Stanford)"


@pytest.mark.parametrize("name", [one.id for one in (*recipes(), *comparators())])
def test_every_recipe_can_be_read(name):
    app = open_page("recipes", recipe=name)
    assert app.title[0].value
    assert "Computed" in html_of(app) or (name in PUBLISHED and "Published" in html_of(app))


def test_alpaca_sets_the_document_the_publication_and_the_arithmetic_side_by_side():
    shown = html_of(open_page("recipes", recipe="alpaca"))
    assert "document 000 L47" in shown  # a described value with its line
    assert "stanford_alpaca: README.md" in shown  # a published value with its source
    assert "not published" in shown
    assert "3,000" in shown and "1,219" in shown  # claimed and computed steps
    assert "examples × epochs / effective batch" in shown
    assert "examples = 52,002" in shown


def test_a_recipe_that_does_not_exist_is_said_so():
    app = open_page("recipes", recipe="<b>nothing</b>")
    assert "There is no recipe called" in text_of(app)
    assert "<b>nothing</b>" not in html_of(app)


@pytest.mark.parametrize(("button", "title"), [("recipe-plan", "Plan"), ("recipe-train", "Train")])
def test_a_recipe_goes_on_to_plan_or_training(button, title, lab_home):
    app = open_page("recipes", recipe="alpaca_lora")
    app.button(key=button).click().run()
    assert not app.exception
    assert app.title[0].value == title
    assert app.selectbox(key="draft-recipe").value == "alpaca_lora"
    assert json.loads((lab_home / "draft.json").read_text())["recipe"] == "alpaca_lora"


def test_a_source_becomes_a_link_and_nothing_else_does():
    drawn = _linked("tatsu-lab/stanford_alpaca:README.md@761dc5b; <script>alert(1)</script> javascript:alert(2)")
    assert 'href="https://github.com/tatsu-lab/stanford_alpaca/blob/761dc5b/README.md"' in drawn
    assert "<script>" not in drawn
    assert drawn.count("<a ") == 1


@pytest.mark.parametrize("name", ASKED_FOR)
def test_the_recipes_asked_for_name_a_model_and_settings_that_the_lab_can_plan(name):
    app = open_page("recipes", recipe=name)
    app.button(key="recipe-plan").click().run()
    assert not app.exception
    assert "Effective batch" in text_of(app)
    assert locate(next(one for one in recipes() if one.id == name).run["model"]["source"])


def test_the_filters_stand_in_the_address_and_open_the_same_list():
    app = open_page("recipes")
    app.selectbox(key="recipes-size").set_value("small").run()
    app.text_input(key="recipes-search").set_value("qlora").run()
    assert address(app, "size") == "small" and address(app, "search") == "qlora"
    colleague = open_page("recipes", size="small", search="qlora", method="no such method")
    assert shown_recipes(colleague) == shown_recipes(app)
    assert "method" not in colleague.query_params


def test_a_statement_without_a_figure_is_shown_without_one():
    shown = html_of(open_page("recipes", recipe="bert_imdb"))
    assert "the test leaks into the selection" in shown
    assert "None" not in shown
