"""The runs page while runs wait, and the publish page after an upload that failed."""

import sqlite3

import pytest
from page_driver import address, open_page, text_of

from lab.runs import client
from lab.runs.store import Store
from lab.spec import RunSpec, build


@pytest.fixture(autouse=True)
def nobody_supervises(monkeypatch):
    """Runs stay where a test puts them."""
    monkeypatch.setattr(client, "ensure_supervisor", lambda: None)


def move(run, *states):
    for state in states:
        assert Store().move(Store().run(run), state, attempt=1)


def test_a_waiting_run_says_what_it_waits_for_and_can_be_taken_out_of_the_queue():
    first = client.submit(build({"name": "the *first* one"}), plan={"steps": 765})
    move(first, "starting", "running")
    client.submit(RunSpec(), plan={"steps": 765})
    last = client.submit(RunSpec(), short=True, plan={"steps": 765, "epochs": 3.0})
    app = open_page("runs", run=last)
    assert "waits for the *first* one · 1 run before it" in [part.value for part in app.text]
    assert "0 of 30" in text_of(app)
    assert app.button(key="run-stop").label == "Take it out of the queue"
    app.button(key="run-stop").click().run()
    assert not app.exception
    assert Store().run(last).state == "queued"  # asked; whoever supervises does it
    assert [intent.kind for intent in Store().intents() if intent.run == last][-1] == "stop"


def test_a_run_without_a_step_has_no_checkpoint_to_keep():
    run = client.submit(RunSpec(), plan={"steps": 765})
    move(run, "starting", "running")
    assert open_page("runs", run=run).button(key="run-stop").label == "Stop the run"


def test_a_name_is_never_markdown():
    run = client.submit(build({"name": "![x](https://example.org/x.png)"}), plan={})
    title = open_page("runs", run=run).title[0].value
    assert "\\!\\[x\\]" in title


def test_a_run_with_settings_of_another_version_is_shown_with_a_sentence_and_everything_else():
    run = client.submit(build({"name": "an older one"}), plan={"steps": 765})
    move(run, "starting", "running", "succeeded")
    file = client.RunDirectory.of(run).path / "spec.yaml"
    file.write_text(file.read_text() + "speed_of_light: fast\nschedule:\n  learning_rate: quick\n")
    app = open_page("runs", run=run)
    shown = text_of(app)
    assert "an older one" in shown and "finished" in shown
    assert "settings of this run cannot be read" in shown and "speed_of_light" in shown
    app.session_state["run-tabs"] = "Settings"
    assert any("learning_rate: quick" in code.value for code in app.run().code)
    for page in ("home", "plan", "publish", "review"):  # what looks through all runs passes over it
        open_page(page)
    assert "an older one" in {frame["name"] for frame in open_page("runs").dataframe[0].value.to_dict("records")}


def test_a_failed_upload_can_be_tried_again_with_the_same_settings():
    run = client.submit(RunSpec(), plan={})
    move(run, "starting", "running", "succeeded")
    asked = {"run": run, "repository": "me/adapter", "private": True, "what": "adapter", "base_model": ""}
    upload = client.submit_request("publish", asked, parent=run)
    move(upload, "starting", "running", "failed")
    app = open_page("publish", upload=upload)
    assert app.button(key="publish-try-again").disabled
    app.text_input(key="publish-token").set_value("hf_not_a_real_token").run()
    app.button(key="publish-try-again").click().run()
    assert not app.exception
    again = address(app, "upload")
    assert again != upload
    assert client.RunDirectory.of(again).parameters == asked


def test_a_data_base_that_another_program_keeps_is_told_in_a_sentence(monkeypatch):
    run = client.submit(RunSpec(), plan={"steps": 765})
    monkeypatch.setattr("lab.runs.store.PATIENCE_S", 0.05)
    holder = sqlite3.connect(Store().path, isolation_level=None)
    holder.execute("begin exclusive")
    app = open_page("runs", run=run)  # which finds no error on the page
    assert "in use by another program" in text_of(app) and "Try again in a moment" in text_of(app)
    holder.execute("commit")
    holder.close()
    app.run()
    assert "in use by another program" not in text_of(app) and "0 of 765" in text_of(app)
