"""Every page, in both languages, draws without an exception on a fresh home."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lab.ui.menu import _ENTRIES

MAIN = Path(__file__).parents[2] / "pages" / "main.py"
NAMES = [entry[0] for entry in _ENTRIES]
FRENCH_TITLES = {
    "home": "Fine-Tuning Lab",
    "recipes": "Recettes",
    "plan": "Plan",
    "data": "Données",
    "train": "Entraîner",
    "runs": "Exécutions",
    "review": "Comparer",
    "publish": "Publier",
}

pytestmark = pytest.mark.page


def open_page(name: str, locale: str = "en-US") -> AppTest:
    """The page after one run, as a visitor with this browser language sees it."""
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.context = {"locale": locale}
    app.run()
    if name != "home":
        app.switch_page(f"{name}.py").run()
    return app


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("locale", ["en-US", "fr-FR"])
def test_a_page_draws_on_a_fresh_home(name, locale):
    app = open_page(name, locale)
    assert not app.exception
    assert app.title[0].value
    if locale == "fr-FR":
        assert app.title[0].value == FRENCH_TITLES[name]


def test_the_pages_load_no_training_library():
    """Ask a process that has drawn every page for its modules."""
    code = f"""
import json, sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(MAIN)!r}, default_timeout=60).run()
for name in {NAMES[1:]!r}:
    app.switch_page(name + ".py").run()
    assert not app.exception, app.exception
heavy = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(answer.stdout.splitlines()[-1]) == []
