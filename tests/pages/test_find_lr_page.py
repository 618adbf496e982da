"""The learning-rate test on the train page: its curves, and one click that puts its rate into the settings."""

from __future__ import annotations

import json

from page_driver import go, keep_draft, open_page, text_of

from lab.json_io import write_json
from lab.runs import find_lr, states
from lab.runs.directory import RunDirectory
from lab.runs.store import Store
from lab.spec import RunSpec, with_overrides

RESULT = {
    "ended": "finished",
    "attempt": 1,
    "suggested": 1.3e-3,
    "picks": {"steepest": {"rate": 1.3e-3, "low": 1e-3, "high": 2e-3, "seeds": 3, "of": 3}, "tenth": None},
    "curves": [
        {"seed": 42, "rates": [1e-4, 1e-3, 1e-2], "losses": [3.0, 2.0, 2.5], "smoothed": [3.0, 2.4, 2.5]},
        {"seed": 43, "rates": [1e-4, 1e-3], "losses": [3.1, 2.1], "smoothed": [3.1, None]},
    ],
    "learning_rate": 2e-4,
    "seconds": {},
}


def finished_test(monkeypatch, spec: RunSpec) -> str:
    """A test that has ended well, without its minutes of training."""
    monkeypatch.setattr("lab.runs.client.ensure_supervisor", lambda: None)
    monkeypatch.setattr("lab.runs.client.wake", lambda: None)
    run = find_lr.submit(spec, find_lr.Sweep())
    store = Store()
    for state, more in ((states.STARTING, {"attempt": 1}), (states.RUNNING, {}), (states.SUCCEEDED, {})):
        store.move(store.run(run), state, **more)
    write_json(RunDirectory.of(run).path / "result.json", RESULT)
    return run


def opened(app):
    app.session_state["find-lr"] = True
    return app.run()


def test_the_test_is_one_click_away_and_closed_at_first():
    app = open_page("train")
    assert not [button for button in app.button if button.key == "find-lr-start"]
    opened(app)
    assert not app.exception
    assert app.button(key="find-lr-start").label == "Start the test" and not app.button(key="find-lr-start").disabled


def test_a_setup_that_cannot_run_is_not_tested():
    keep_draft({"model.source": "demo", "data.source": "demo", "method.rank": 1000})
    app = opened(open_page("train"))
    assert not app.exception and app.button(key="find-lr-start").disabled


def test_one_click_puts_the_rate_into_the_settings(monkeypatch):
    finished_test(monkeypatch, RunSpec())
    app = opened(open_page("train"))
    assert not app.exception, app.exception
    assert app.button(key="find-lr-use").label == "Use 1.3e-3"
    assert "1e-3 to 2e-3" in text_of(app) and "not seen" in text_of(app)
    (chart,) = [json.loads(one.proto.spec) for one in app.get("vega_lite_chart") if "rate" in one.proto.spec]
    app.button(key="find-lr-use").click().run()
    assert not app.exception
    assert app.text_input(key="set-schedule.learning_rate").value == "1.3e-3"
    assert "is in use" in text_of(app)
    assert chart["layer"][0]["encoding"]["x"]["scale"] == {"type": "log"}
    go(app, "plan")
    assert app.text_input(key="set-schedule.learning_rate").value == "1.3e-3"


def test_the_test_of_another_setup_is_not_shown(monkeypatch):
    finished_test(monkeypatch, with_overrides(RunSpec(), {"method.name": "full"}))
    app = opened(open_page("train"))
    assert not [button for button in app.button if button.key == "find-lr-use"]


def test_a_wrong_setting_is_explained_at_its_field(tiny_llama):
    keep_draft({"model.source": str(tiny_llama), "data.source": "demo", "data.max_length": 4096, "method.rank": 1000})
    app = open_page("train")
    shown = text_of(app)
    assert app.button(key="train-full").disabled
    assert "256 positions" in shown and "dimensions of the layer" in shown
