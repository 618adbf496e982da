"""The language that a visitor chose goes along, whichever way they change page."""

import pytest
from page_driver import address, open_page
from streamlit.testing.v1 import AppTest

BUTTONS = {"home-runs": "Exécutions", "home-plan": "Plan"}


@pytest.fixture
def french():
    app = AppTest.from_file("../../pages/main.py", default_timeout=60)
    app.query_params["lang"] = "fr"
    return app.run()


@pytest.mark.parametrize("button", BUTTONS)
def test_a_button_takes_the_language_to_the_next_page(french, button):
    french.button(key=button).click().run()
    assert not french.exception
    assert french.title[0].value == BUTTONS[button]
    assert address(french, "lang") == "fr"


def test_the_menu_takes_the_language_along(french):
    french.switch_page("data.py").run()
    assert french.title[0].value == "Données"
    assert address(french, "lang") == "fr"


def test_choosing_a_language_puts_it_into_the_address():
    app = open_page("runs")
    assert "lang" not in app.query_params
    app.segmented_control(key="lang").set_value("fr").run()
    assert not app.exception
    app.run()
    assert app.title[0].value == "Exécutions"
    assert address(app, "lang") == "fr"
    app.segmented_control(key="lang").set_value("en").run()
    assert app.title[0].value == "Runs"


def test_a_language_that_is_not_there_is_left_alone():
    app = AppTest.from_file("../../pages/main.py", default_timeout=60)
    app.query_params["lang"] = "xx"
    app.run()
    assert not app.exception
    assert app.title[0].value == "Fine-Tuning Lab"
