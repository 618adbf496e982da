"""The live screen and the review of runs with labels show their scores, not perplexity."""

from pathlib import Path

import pytest
import task_runs as tasks
import training_runs as runs
from page_driver import open_page, text_of

from lab.runs import client
from lab.runs.directory import RunDirectory
from lab.runs.store import Store
from lab.spec import RunSpec, with_overrides

QUICK = {
    "schedule__max_steps": 6,
    "schedule__per_device_batch": 8,
    "schedule__accumulation": 1,
    "evaluation__every_steps": 3,
    "evaluation__max_examples": 20,
    "tasks__stride": 8,
    "method__name": "full",
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def finished(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that the worker has really done, in the store as the supervisor leaves it."""
    monkeypatch.setattr(client, "ensure_supervisor", lambda: None)
    run = client.submit(spec, plan={"steps": 6})
    for state in ("starting", "running"):
        assert Store().move(Store().run(run), state, attempt=1)
    runs.train(RunDirectory.of(run))
    assert Store().move(Store().run(run), "succeeded", attempt=1)
    return run


def test_a_classifier_shows_accuracy_and_each_label(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tasks.prepared(tasks.classification_rows(), "classification")
    spec = runs.make_spec(bert, Path(data), task="classification", **QUICK)
    run = finished(spec, monkeypatch)
    live = open_page("runs", run=run)
    assert "Accuracy" in text_of(live) and "Perplexity" not in text_of(live)
    review = open_page("review", run=run)
    shown = text_of(review)
    assert "Accuracy" in shown and "Macro F1" in shown and "20 held-out rows" in shown
    assert "always the most frequent label" in shown and "ROUGE" not in shown
    tables = [frame.value for frame in review.dataframe]
    assert [list(table["label"]) for table in tables if "label" in table] == [["bad", "good"]]
    assert any(list(table.columns) == ["bad", "good"] and int(table.to_numpy().sum()) == 20 for table in tables)


def test_several_tasks_show_each_its_own_scores(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "mood": tasks.prepared(tasks.classification_rows(), "classification"),
        "city": tasks.prepared(tasks.question_rows(60), "extractive-qa"),
    }
    kinds = {"mood": "classification", "city": "extractive-qa"}
    spec = runs.make_spec(bert, Path("demo"), task="multi-task", **QUICK)
    run = finished(with_overrides(spec, {"tasks.sources": sources, "tasks.kinds": kinds}), monkeypatch)
    shown = text_of(open_page("review", run=run))
    assert "mood" in shown and "city" in shown and "Exact match" in shown
    assert "Accuracy" in text_of(open_page("runs", run=run))
