"""A new user does the main job in a real browser: from a fresh server to the finished comparison.

With PICTURES=docs/images in the environment the pictures of the README are taken on the way.
"""

import json
import os
import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MINUTES = 60_000
PICTURES = os.environ.get("PICTURES")


def picture(page: Page, name: str) -> None:
    """Take a picture for the README when it is asked for."""
    if PICTURES:
        page.wait_for_timeout(1500)  # let the charts settle; only when pictures are taken
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def test_the_demo_from_a_fresh_server_to_the_comparison(start_server, page):
    server = start_server()
    page.goto(server.url)
    expect(page.get_by_role("heading", name="Watch a model learn")).to_be_visible()
    picture(page, "home")
    page.get_by_role("button", name="Start the demo").click()

    expect(page.get_by_role("heading", name="What it says")).to_be_visible()
    expect(page.locator(".lab-flow .now")).to_contain_text("Train", timeout=2 * MINUTES)
    expect(page.locator(".lab-answers tr").nth(1)).to_be_visible(timeout=MINUTES)
    address = page.url
    assert "run=" in address

    # The app dies in the middle; the run does not.
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    server.start()
    page.goto(address)
    expect(page.get_by_role("heading", name="What it says")).to_be_visible()
    expect(page.get_by_text("run is on")).to_have_count(0)
    picture(page, "run-live")

    compare = page.get_by_role("button", name="Compare before and after")
    expect(compare).to_be_visible(timeout=4 * MINUTES)
    expect(page.get_by_text("interrupted")).to_have_count(0)
    picture(page, "run")
    compare.click()

    expect(page.get_by_role("heading", name="Review")).to_be_visible()
    expect(page.get_by_text("Held-out loss")).to_be_visible()
    expect(page.get_by_text("200 held-out questions")).to_be_visible()
    expect(page.get_by_text("ended by itself").first).to_be_visible()
    picture(page, "review")

    page.get_by_role("tab", name="Ask both models").click()
    page.get_by_label("Your question").fill("What does os.path.join do?")
    page.get_by_role("button", name="Ask both").click()
    answers = page.locator(".lab-said:visible")
    expect(answers.nth(1)).to_be_visible(timeout=2 * MINUTES)


COLOURS = ["red", "blue", "green", "black", "white", "yellow", "brown", "pink"]
THINGS = ["car", "house", "bird", "lamp", "door", "coat", "boat", "cup", "tree", "hat"]


def question_file(folder: Path, count: int = 220) -> Path:
    """Questions with one short answer each, as a person might bring them: enough for more steps than a short run."""
    pairs = [(thing, colour) for thing in THINGS for colour in COLOURS]
    rows = []
    for number in range(count):
        thing, colour = random.Random(number).choice(pairs)
        rows.append({"question": f"What colour is the {thing} number {number}?", "answer": f"The {thing} is {colour}."})
    path = folder / "colours.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_uploaded_file_from_data_to_a_continued_run(start_server, page, tmp_path):
    server = start_server()
    page.goto(server.url + "/data")
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()
    page.locator('input[type="file"]').set_input_files(question_file(tmp_path))
    expect(page.get_by_role("combobox", name="The rows are")).to_have_value("question and answer", timeout=MINUTES)
    page.get_by_role("button", name="Prepare").click()
    example = page.locator(".lab-tokens").filter(has_text="### Question:")
    expect(example).to_be_visible(timeout=MINUTES)
    expect(example.locator(".lab-trained").filter(has_text="The").first).to_be_visible()
    expect(example.locator(".lab-trained").filter(has_text="Question")).to_have_count(0)
    picture(page, "data")
    page.get_by_role("button", name="Train on this data").click()

    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    page.get_by_role("button", name="Start a short run").click()
    expect(page.get_by_role("heading", name="What it says")).to_be_visible(timeout=MINUTES)
    onward = page.get_by_role("button", name="Continue as the full run")
    expect(onward).to_be_visible(timeout=3 * MINUTES)
    expect(page.get_by_text("What the full run would take")).to_be_visible()
    short = page.url
    onward.click()
    expect(page).not_to_have_url(short)
    # The address changes first: until the page of the longer run is drawn, the buttons of the short one still stand.
    expect(onward).to_have_count(0)
    compare = page.get_by_role("button", name="Compare before and after")
    expect(compare).to_be_visible(timeout=3 * MINUTES)
    compare.click()
    expect(page.get_by_text("Held-out loss")).to_be_visible()


def test_what_a_newcomer_sees_speaks_french(start_server, new_page):
    server = start_server()
    page = new_page(locale="fr-FR", color_scheme="dark", viewport={"width": 400, "height": 860})
    page.goto(server.url)
    expect(page.get_by_role("button", name="Lancer la démonstration")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_recipe_becomes_a_plan_that_the_address_keeps(start_server, page):
    server = start_server()
    page.goto(server.url + "/recipes?recipe=alpaca")
    page.get_by_role("button", name="Plan with my numbers").click()
    expect(page.get_by_role("heading", name="Plan", exact=True)).to_be_visible()
    expect(page.get_by_text("1,221").first).to_be_visible()
    expect(page).to_have_url(re.compile("recipe=alpaca"))
    picture(page, "plan")
    page.reload()
    expect(page.get_by_text("1,221").first).to_be_visible()


def test_no_torch_is_mapped_into_the_app(start_server, page):
    server = start_server()
    for name in ("", "recipes", "plan", "data", "train", "runs", "review", "publish"):
        page.goto(f"{server.url}/{name}")
        expect(page.get_by_role("heading").first).to_be_visible()
    assert server.process is not None
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libtorch" not in mapped
