"""Opening a page in Streamlit's AppTest, as a visitor would."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).parents[1] / "pages" / "main.py"


def open_page(name: str, locale: str = "en-US", **query: str) -> AppTest:
    """The page after one run; `query` stands in its address."""
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.context = {"locale": locale}
    app.run()
    return go(app, name, **query)


def go(app: AppTest, name: str, **query: str) -> AppTest:
    """The same visitor on another page, or on the same one with another address."""
    if name != "home":
        app.switch_page(f"{name}.py")
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception
    return app


def keep_draft(values: dict[str, Any], recipe: str = "") -> None:
    """Leave a draft in the lab's home, as an earlier visit would have (AppTest cannot type a new option)."""
    home = Path(os.environ["LAB_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    (home / "draft.json").write_text(json.dumps({"recipe": recipe, "values": values}))


def address(app: AppTest, name: str) -> str:
    """A value in the address of the page."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def markdown_of(app: AppTest) -> str:
    """Everything that is drawn as Markdown: text, captions, headings."""
    parts = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.header]
    return "\n".join(str(part.value) for part in parts)


def html_of(app: AppTest) -> str:
    """Everything that is drawn as our own, escaped HTML."""
    return "\n".join(part.proto.body for part in app.get("html"))


def text_of(app: AppTest) -> str:
    """Everything that a person can read on the page, whatever draws it."""
    return "\n".join((markdown_of(app), html_of(app), *(str(part.value) for part in app.text)))
