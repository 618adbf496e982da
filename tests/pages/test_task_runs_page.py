"""The live screen and the review of runs with labels show their scores, not perplexity."""

import shutil
from pathlib import Path

import pytest
import task_runs as tasks
import training_runs as runs
from page_driver import open_page, text_of

from lab.runs import client
from lab.runs.directory import RunDirectory
from lab.runs.store import Store
from lab.spec import RunSpec, with_overrides
from lab.ui import estimate, speed_words

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


def finished(spec: RunSpec, monkeypatch: pytest.MonkeyPatch, plan: dict[str, object] | None = None) -> str:
    """A run that the worker has really done, in the store as the supervisor leaves it."""
    monkeypatch.setattr(client, "ensure_supervisor", lambda: None)
    run = client.submit(spec, plan=plan or {"steps": 6})
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
    assert "Accuracy" in shown and "Macro F1" in shown and "20 held-out texts" in shown and "question" not in shown
    assert "always giving the most frequent label" in shown and "ROUGE" not in shown
    assert [tab.label for tab in review.tabs][-1] == "Try a text"
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
    publish = open_page("publish", run=run)
    assert list(publish.button_group(key="publish-task").options) == ["city", "mood"]
    assert "model.safetensors" in list(publish.dataframe[0].value["file"])
    assert "Accuracy" in text_of(open_page("runs", run=run))


@pytest.mark.parametrize(
    ("task", "rows", "unit", "said"),
    [
        ("token-classification", tasks.entity_rows(), "20 held-out sentences", "sentence"),
        ("extractive-qa", tasks.question_rows(), "20 held-out questions", "the passage"),
    ],
)
def test_what_was_held_out_is_called_what_it_is(
    bert: Path, monkeypatch: pytest.MonkeyPatch, task: str, rows: list[dict[str, object]], unit: str, said: str
) -> None:
    spec = runs.make_spec(bert, Path(tasks.prepared(rows, task)), task=task, **QUICK)
    shown = text_of(open_page("review", run=finished(spec, monkeypatch)))
    assert unit in shown and said in shown and "Does not end" not in shown


def opened(run: str, tab: str) -> str:
    """What a person reads on the page of a run with one of its tabs open."""
    app = open_page("runs", run=run)
    app.session_state["run-tabs"] = tab
    return text_of(app.run())


def test_the_plan_stands_beside_what_was_measured(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tasks.prepared(tasks.classification_rows(), "classification")
    spec = runs.make_spec(bert, Path(data), task="classification", **QUICK | {"schedule__max_steps": 12})
    planned = estimate.of(spec).plan
    shown = opened(finished(spec, monkeypatch, planned), "Plan and measured")
    for words in ("Peak memory after ten steps", "Time of the training", "Tokens per second", "Trained parameters"):
        assert words in shown
    assert "of the plan" in shown and "not measured yet" not in shown
    assert "TFLOP/s in use" in shown and "FlopCounterMode" in shown and "Values of the base model times" in shown


def test_what_made_a_run_fast_is_told_with_its_reasons(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = finished(runs.make_spec(tiny_llama, Path("demo"), **QUICK | {"method__name": "lora"}), monkeypatch)
    rows = {row.label: row for row in speed_words.used(RunDirectory.of(run).result or {})}
    assert rows["Without padding"].used and "tokens a pass" in rows["Without padding"].why
    assert rows["Fused LoRA"].used and rows["Fused LoRA"].why.endswith("layers")
    assert not rows["Fused kernels"].used and rows["Fused kernels"].why == "needs a GPU"
    shown = opened(run, "Plan and measured")
    assert "What made it fast" in shown and "needs a GPU" in shown
    assert "Notes and log" in [tab.label for tab in open_page("runs", run=run).tabs]


def test_what_nobody_could_load_is_not_offered_and_the_page_says_why(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(tasks.prepared(tasks.question_rows(60), "extractive-qa"))
    quick = QUICK | {"method__name": "lora", "schedule__max_steps": 2}
    run = finished(runs.make_spec(tiny_llama, data, task="extractive-qa", **quick), monkeypatch)
    page = open_page("publish", run=run)
    assert list(page.button_group(key=f"publish-what-{run}").options) == ["the whole model"]
    assert "does not load the body of this base for questions" in text_of(page)
    assert page.button(key="publish-start").label == "Enter a token"
    shutil.rmtree(RunDirectory.of(run).final_path)
    page = open_page("publish", run=run)
    assert page.button(key="publish-start").label == "This cannot be published"
    assert page.button(key="publish-start").disabled and "has no finished model" in text_of(page)
