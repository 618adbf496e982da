"""On a phone: the form of several tasks by name, every setting two clicks away, and nothing cut."""

import json

import pytest
from playwright.sync_api import Page, expect
from task_runs import classification_rows, entity_rows, prepared

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VISITOR = "5" * 32
# Labels that are wider than their place, among the settings that are drawn.
CUT = """() => [...document.querySelectorAll('[class*=st-key-set-] label, [class*=st-key-task-] label')]
  .filter(label => [...label.querySelectorAll('p')].some(part => part.scrollWidth > part.clientWidth + 1))
  .map(label => label.innerText)"""


def on_a_phone(page: Page, url: str) -> None:
    """The train page of a known visitor on a screen of 400 pixels."""
    page.set_viewport_size({"width": 400, "height": 1200})
    page.context.add_cookies([{"name": "lab-visitor", "value": VISITOR, "url": url}])
    page.goto(url + "/train")


def fits(page: Page) -> bool:
    """Whether nothing of the page lies beyond its right edge."""
    wide = page.evaluate("() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth }")
    return bool(wide <= 400)


def test_several_tasks_are_chosen_by_name_on_a_phone(start_server, page, monkeypatch):
    server = start_server()
    monkeypatch.setenv("LAB_HOME", str(server.home))
    reviews = prepared(classification_rows(40), "classification", validation=8)
    prepared(entity_rows(40), "token-classification", validation=8)
    drafts = server.home / "drafts"
    drafts.mkdir(parents=True, exist_ok=True)
    draft = {"recipe": "", "values": {"task": "multi-task", "method.name": "full"}, "window": "1"}
    (drafts / f"{VISITOR}.json").write_text(json.dumps(draft))
    on_a_phone(page, server.url)
    first = page.get_by_role("combobox", name="Data set").first
    first.click()
    page.get_by_role("option", name="tiny · text and label").click()
    expect(page.get_by_text("task_1")).to_have_count(0)
    expect(page.get_by_role("textbox", name="Name of the task").first).to_have_value("tiny")
    expect(first).to_have_value("tiny · text and label")
    expect(page.locator(".st-key-task-0")).not_to_contain_text(reviews)  # never its id
    expect(page.get_by_role("button", name="Add a task")).to_be_visible()
    assert fits(page) and page.evaluate(CUT) == []


def test_no_expert_setting_is_cut_on_a_phone(start_server, page):
    on_a_phone(page, start_server().url)
    page.get_by_text("Expert settings").click()
    groups = page.locator(".st-key-expert-group button")
    expect(groups.first).to_be_visible()
    for place in range(groups.count()):
        groups.nth(place).click()
        expect(groups.nth(place)).to_have_attribute("aria-checked", "true")
        assert page.evaluate(CUT) == []
    assert fits(page)
