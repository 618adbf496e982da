"""Handing over a file in a real browser: by keyboard, with progress, cancelled, refused; and changing a row of it."""

import json
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MINUTES = 60_000


def rows_file(folder: Path, count: int, words: int = 4) -> Path:
    """Questions and answers, one JSON object a line."""
    path = folder / "rows.jsonl"
    with path.open("w") as file:
        for at in range(count):
            row = {"question": f"What is number {at}?", "answer": f"It is {at}. " + "word " * words}
            file.write(json.dumps(row) + "\n")
    return path


def left_in(home: Path) -> list[str]:
    """What lies in the folder of uploads."""
    folder = home / "uploads"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_large_file_arrives_with_progress_and_little_memory(start_server, page, tmp_path):
    server = start_server()
    page.goto(server.url + "/data")
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
    large = rows_file(tmp_path, 200_000, words=250)  # about 250 MiB: twice that would show
    assert large.stat().st_size > 200 << 20
    assert server.process is not None
    app = psutil.Process(server.process.pid)
    before = peak = app.memory_info().rss
    page.evaluate(
        """() => { window.seen = []; const look = () => {
          for (const host of document.querySelectorAll('*')) {
            const bar = host.shadowRoot && host.shadowRoot.querySelector('[role=progressbar]');
            if (bar && bar.getAttribute('aria-valuenow')) window.seen.push(+bar.getAttribute('aria-valuenow'));
          }
          setTimeout(look, 10); }; look(); }"""
    )
    page.locator('input[type="file"]').set_input_files(large, no_wait_after=True)
    while "upload=" not in page.url:
        peak = max(peak, app.memory_info().rss)
        page.wait_for_timeout(20)
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen) and any(0 < value < 100 for value in seen)
    assert peak - before < 30 << 20


def test_a_file_is_chosen_and_cancelled_by_keyboard_alone_and_another_one_follows(start_server, page, tmp_path):
    server = start_server()
    page.goto(server.url + "/data")
    choose = page.get_by_role("button", name="Choose a file")
    choose.focus()
    # Parts on their way to the lab are held, so that there is something to cancel.
    page.route("**/lab-upload", lambda route: None)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(rows_file(tmp_path, 20))
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Cancelled; nothing was kept.")).to_be_visible()
    expect(choose).to_be_focused()
    assert left_in(server.home) == []
    page.unroute("**/lab-upload")
    page.locator('input[type="file"]').set_input_files(rows_file(tmp_path, 20))
    expect(page.get_by_text("What is what")).to_be_visible(timeout=MINUTES)
    expect(page.get_by_text("JSONL", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_file_that_cannot_be_used_does_not_spoil_the_session(start_server, new_page, tmp_path, scheme):
    server = start_server()
    page = new_page(color_scheme=scheme, viewport={"width": 400, "height": 860})
    page.goto(server.url + "/data")
    empty, wrong = tmp_path / "empty.csv", tmp_path / "model.pkl"
    empty.touch()
    wrong.write_bytes(b"\x80\x04\x95" + bytes(100))
    page.locator('input[type="file"]').set_input_files(empty)
    expect(page.get_by_role("alert").filter(has_text="This file is empty")).to_be_visible()
    page.locator('input[type="file"]').set_input_files(wrong)
    expect(page.get_by_text("model.pkl").first).to_be_visible()
    expect(page.get_by_role("button", name="Prepare")).to_have_count(0)
    page.get_by_role("button", name="Another file").click()
    page.locator('input[type="file"]').set_input_files(rows_file(tmp_path, 20))
    expect(page.get_by_role("combobox", name="The rows are")).to_have_value("question and answer", timeout=MINUTES)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_french_excel_file_is_read_as_suggested_and_prepared_so(start_server, page, tmp_path):
    server = start_server()
    page.goto(server.url + "/data")
    path = tmp_path / "questions.csv"
    rows = "".join(f"Où est le numéro {at} ?;Il est là, à l’été {at}.\r\n" for at in range(30))
    path.write_bytes(("Question;Réponse\r\n" + rows).encode("cp1252"))
    page.locator('input[type="file"]').set_input_files(path)
    page.get_by_role("button", name="Read it as cp1252").click()
    expect(page.get_by_role("combobox", name="The rows are")).to_have_value("question and answer", timeout=MINUTES)
    page.get_by_role("button", name="Prepare").click()
    expect(page.get_by_text("Where the tokens go")).to_be_visible(timeout=2 * MINUTES)
    identifier = page.url.split("dataset=")[1].split("&")[0]
    rows_kept = (server.home / "datasets" / identifier / "rows.jsonl").read_text("utf-8")
    assert "Il est là, à l’été" in rows_kept


def test_a_refusal_of_the_lab_is_said_in_its_words(start_server, page, tmp_path):
    server = start_server()
    page.goto(server.url + "/data")
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
    page.context.clear_cookies(name="_streamlit_xsrf")
    page.locator('input[type="file"]').set_input_files(rows_file(tmp_path, 20))
    expect(page.get_by_text("does not come from a page of the lab")).to_be_visible()
    assert left_in(server.home) == []


def change_first_answer(page: Page, text: str) -> None:
    """Type another answer into the first row of the editor."""
    grid = page.get_by_test_id("stDataFrame").last
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 120, box["y"] + 60)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    cell = page.locator("#portal textarea")
    expect(cell).to_be_focused()
    cell.fill(text)
    cell.press("Enter")


def test_a_changed_row_becomes_the_next_version(start_server, page, tmp_path):
    server = start_server()
    page.goto(server.url + "/data")
    page.locator('input[type="file"]').set_input_files(rows_file(tmp_path, 60))
    expect(page.get_by_text("What is what")).to_be_visible(timeout=MINUTES)
    page.get_by_role("button", name="Prepare").click()
    expect(page.get_by_text("Where the tokens go")).to_be_visible(timeout=2 * MINUTES)
    first = page.url
    page.get_by_role("tab", name="Edit").click()
    change_first_answer(page, "It is none of them.")
    page.get_by_role("button", name="Save 1 change as a new version").click()
    expect(page.get_by_text("version 2").first).to_be_visible(timeout=2 * MINUTES)
    assert page.url != first
    page.get_by_role("tab", name="Versions").click()
    expect(page.get_by_text("Version 1", exact=True)).to_be_visible()
    identifier = page.url.split("dataset=")[1].split("&")[0]
    rows = [json.loads(line) for line in (server.home / "datasets" / identifier / "rows.jsonl").open()]
    assert len(rows) == 60
    assert sum(row["answer"] == "It is none of them." for row in rows) == 1
    page.get_by_role("tab", name="Examples").click()
    page.get_by_role("spinbutton", name="Any row").fill("60")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Row 60:")).to_be_visible(timeout=MINUTES)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report").click()
    assert download.value.suggested_filename == "rows-jsonl-v2.html"


def test_a_large_file_is_read_with_progress_and_reading_can_be_stopped(start_server, page, tmp_path):
    server = start_server()
    page.goto(server.url + "/data")
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
    page.locator('input[type="file"]').set_input_files(rows_file(tmp_path, 300_000, words=100))
    expect(page.get_by_text("of 0.", exact=False).filter(has_text="Reading the file")).to_be_visible(timeout=MINUTES)
    page.get_by_role("button", name="Stop reading").click()
    expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
    assert left_in(server.home) == []
    assert server.process is not None
    assert not [child for child in psutil.Process(server.process.pid).children() if "lab.data.child" in child.cmdline()]
