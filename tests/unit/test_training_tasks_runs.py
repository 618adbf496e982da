"""Runs of tasks with labels: stopped and resumed, stopped early, several tasks on one body, scored again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.errors import InputError, InputErrors
from lab.evaluation.worker import run as evaluate
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.home import new_id, runs_folder
from lab.runs.stopping import StopFlag
from lab.spec import RunSpec, check, with_overrides

QUICK = {
    "schedule__max_steps": 12,
    "schedule__per_device_batch": 8,
    "schedule__accumulation": 1,
    "schedule__learning_rate": 3e-3,
    "evaluation__every_steps": 4,
    "evaluation__max_examples": 24,
    "tasks__stride": 8,
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def classifier(model: Path, **changes: Any) -> RunSpec:
    data = tasks.prepared(tasks.classification_rows(), "classification")
    return runs.make_spec(model, Path(data), **QUICK | {"task": "classification"} | changes)


def several(model: Path, **changes: Any) -> RunSpec:
    spec = runs.make_spec(model, Path("demo"), **QUICK | {"task": "multi-task"} | changes)
    sources = {
        "mood": tasks.prepared(tasks.classification_rows(), "classification"),
        "names": tasks.prepared(tasks.entity_rows(), "token-classification"),
        "city": tasks.prepared(tasks.question_rows(60), "extractive-qa"),
    }
    kinds = {"mood": "classification", "names": "token-classification", "city": "extractive-qa"}
    return with_overrides(spec, {"tasks.sources": sources, "tasks.kinds": kinds})


def weights(run: RunDirectory) -> str:
    return runs.weights_sha(run.final_path)


# --- stop and resume ---


@pytest.mark.parametrize("kind", ["full", "lora", "multi"])
def test_a_stopped_and_resumed_run_ends_as_an_uninterrupted_one(bert: Path, kind: str, tmp_path: Path) -> None:
    spec = several(bert, method__name="full") if kind == "multi" else classifier(bert, method__name=kind)
    whole = runs.make_run(tmp_path / "whole", spec)
    runs.train(whole)
    broken = runs.make_run(tmp_path / "broken", spec)
    assert runs.train(broken, runs.StopAt(broken, 6))["ended"] == "stopped"
    assert runs.train(broken, attempt=2)["ended"] == "finished"
    assert weights(broken) == weights(whole)


def test_two_seeds_differ_and_one_repeats(bert: Path, tmp_path: Path) -> None:
    data = tasks.prepared(tasks.classification_rows(), "classification")
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        changes = QUICK | {"task": "classification", "seed": seed, "method__name": "full"}
        run = runs.make_run(tmp_path / name, runs.make_spec(bert, Path(data), **changes))
        runs.train(run)
        found.append(weights(run))
    assert found[0] == found[1] != found[2]


# --- the best evaluation ---


def test_early_stopping_ends_the_run_and_restores_the_best_weights(bert: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    # Labels at random: what is learned by heart does not hold for other rows, so the held-out loss rises.
    rows = [
        row | {"label": "good" if i * 7919 % 13 < 6 else "bad"} for i, row in enumerate(tasks.classification_rows())
    ]
    data = tasks.prepared(rows, "classification", validation=40)
    changes = {"schedule__max_steps": 200, "evaluation__patience": 2, "evaluation__best_by": "loss",
               "method__name": "full", "task": "classification", "checkpoints__keep": 1}  # fmt: skip
    run = runs.make_run(tmp_path / "run", runs.make_spec(bert, Path(data), **QUICK | changes))
    result = runs.train(run)
    losses = runs.series(run, "eval_loss")
    best = result["best"]["step"]
    during = {step: value for step, value in losses.items() if step}
    assert result["step"] < 200 and result["best"]["over"]
    assert losses[best] == min(during.values()) and best == result["step"] - 8
    assert result["final"]["eval_loss"] == pytest.approx(losses[best], abs=1e-6)
    sealed = AutoModelForSequenceClassification.from_pretrained(run.checkpoints_path / f"checkpoint-{best}")
    final = AutoModelForSequenceClassification.from_pretrained(run.final_path)
    assert all(torch.equal(a, b) for a, b in zip(sealed.parameters(), final.parameters(), strict=True))


def test_a_run_that_is_resumed_remembers_its_best(bert: Path, tmp_path: Path) -> None:
    spec = classifier(bert, evaluation__keep_best=True, method__name="full")
    whole, broken = runs.make_run(tmp_path / "whole", spec), runs.make_run(tmp_path / "broken", spec)
    expected = runs.train(whole)
    runs.train(broken, runs.StopAt(broken, 9))
    found = runs.train(broken, attempt=2)
    assert found["best"] == expected["best"] and weights(broken) == weights(whole)


def test_a_language_model_stops_early_too(tiny_llama: Path, tmp_path: Path) -> None:
    data = runs.write_questions(tmp_path / "questions.jsonl")
    changes = {"evaluation__patience": 1, "evaluation__min_improvement": 100.0, "schedule__max_steps": 30}
    run = runs.make_run(tmp_path / "run", runs.make_spec(tiny_llama, data, **changes))
    result = runs.train(run)
    assert (result["step"], result["best"]["step"], result["ended"]) == (6, 3, "finished")


# --- what the result tells ---


@pytest.mark.parametrize("kind", ["full", "multi"])
def test_the_result_names_the_data_set_and_its_version(bert: Path, kind: str, tmp_path: Path) -> None:
    few = {"schedule__max_steps": 2, "evaluation__every_steps": 2}
    spec = several(bert, **few) if kind == "multi" else classifier(bert, method__name=kind, **few)
    told = runs.train(runs.make_run(tmp_path / "run", spec))["data"]
    sources = spec.tasks.sources if kind == "multi" else {"": spec.data.source}
    for name, source in sources.items():
        named = told["tasks"][name] if name else told
        assert (named["dataset"], named["name"], named["version"]) == (source, "tiny", 1)


# --- several tasks ---


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_several_tasks_learn_on_one_body(bert: Path, method: str, tmp_path: Path) -> None:
    import torch
    import transformers

    changes = {"schedule__max_steps": 300, "evaluation__every_steps": 150, "schedule__learning_rate": 3e-3,
               "method__name": method, "method__rank": 8, "schedule__per_device_batch": 16}  # fmt: skip
    run = runs.make_run(tmp_path / "run", several(bert, **changes))
    result = runs.train(run)
    scores = result["final"]["scores"]
    enough = 0.85 if method == "full" else 0.6
    assert all(scores[name] >= enough for name in ("mood.accuracy", "names.entity_f1", "city.f1"))
    assert all(
        scores[name] > result["final"]["scores_before"][name] + 0.2
        for name in scores
        if name in ("mood.accuracy", "names.entity_f1", "city.f1")
    )
    autos = {"mood": "SequenceClassification", "names": "TokenClassification", "city": "QuestionAnswering"}
    bodies = []
    for name, auto in autos.items():
        model = getattr(transformers, f"AutoModelFor{auto}").from_pretrained(run.final_path / name)
        bodies.append(model.bert.encoder.state_dict())
    assert all(torch.equal(bodies[0][key], body[key]) for body in bodies for key in bodies[0])
    plain = transformers.AutoModel.from_pretrained(bert).encoder.state_dict()
    assert not all(torch.equal(bodies[0][key], plain[key]) for key in plain)


def test_every_batch_holds_one_task_and_temperature_evens_them_out() -> None:
    from lab.training.tasks.sampling import batches_of_one_task, shares

    rows = {"large": list(range(1000)), "small": list(range(1000, 1050))}
    counts = {name: len(indices) for name, indices in rows.items()}
    assert shares(counts, 10) == {"large": 100, "small": 5}
    even = shares(counts, 10, 2.0)  # square roots: 31.6 to 7.07
    assert even == {"large": 86, "small": 19} and sum(even.values()) == 105
    order = list(batches_of_one_task(rows, even, 10, "seed"))
    batches = [order[i : i + 10] for i in range(0, len(order), 10)]
    assert all(len({index >= 1000 for index in batch}) == 1 for batch in batches)
    assert sum(batch[0] >= 1000 for batch in batches) == 19
    assert sorted(i for i in batches_of_one_task(rows, shares(counts, 10), 10, "x") if i < 1000) == rows["large"]


# --- the loss ---


def test_accumulated_batches_give_the_gradient_of_the_large_batch(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    data = tasks.prepared(tasks.entity_rows(), "token-classification")
    found = []
    for name, batch, accumulation in (("large", 16, 1), ("small", 4, 4)):
        changes = QUICK | {"task": "token-classification", "method__name": "full", "schedule__max_steps": 3,
                           "schedule__per_device_batch": batch, "schedule__accumulation": accumulation}  # fmt: skip
        run = runs.make_run(tmp_path / name, runs.make_spec(bert, Path(data), **changes))
        runs.train(run)
        found.append((load_file(run.final_path / "model.safetensors"), runs.series(run, "grad_norm")))
    (large, norms), (small, others) = found
    assert norms == pytest.approx(others, rel=1e-4)
    assert max(float((large[name] - small[name]).abs().max()) for name in large) < 1e-4


def test_another_loss_can_stand_in_its_place(bert: Path, tmp_path: Path) -> None:
    import torch

    from lab.training import machine
    from lab.training.tasks import plan_for
    from lab.training.tasks.labelled import LabelledPlan

    spec = classifier(bert, method__name="full")
    plan = plan_for(spec, tmp_path, EventWriter(tmp_path), machine.choose(spec.resources))
    assert isinstance(plan, LabelledPlan)
    plan.load_tokenizer()
    model = plan.load_model()
    plan.encode(spec)
    batch = plan.collate(plan.train[:4])
    with torch.no_grad():
        total, count = plan.loss(model, dict(batch))
        expected = model(**batch).loss
    assert float(total / count) == pytest.approx(float(expected), rel=1e-5)
    plan.item_loss = lambda logits, labels: 2 * torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    with torch.no_grad():
        doubled = plan.loss(model, dict(batch))[0]
    assert float(doubled) == pytest.approx(2 * float(total), rel=1e-5)


# --- scored again, and what cannot be asked ---


def ask(parameters: dict[str, Any]) -> dict[str, Any]:
    folder = runs_folder() / new_id()
    folder.mkdir()
    (folder / "request.json").write_text(json.dumps({"kind": "evaluate", "parameters": parameters}))
    directory = RunDirectory(folder)
    return evaluate(directory, EventWriter(directory, 1), StopFlag(), 1)


@pytest.mark.parametrize("kind", ["full", "lora", "multi"])
def test_a_finished_run_is_scored_again_on_more_rows(bert: Path, kind: str, tmp_path: Path) -> None:
    few = {"evaluation__max_examples": 10}
    spec = several(bert, **few) if kind == "multi" else classifier(bert, method__name=kind, **few)
    run = runs.make_run(runs_folder() / new_id(), spec)
    runs.train(run)
    before = json.loads((run.review_path / "summary.json").read_text())["held_out"]
    same = ask({"run": run.id, "prompts": 10})
    for which in ("base", "tuned"):
        assert same["held_out"][which]["loss"] == pytest.approx(before[which]["loss"], rel=1e-4)
    more = ask({"run": run.id, "prompts": 24})
    assert more["held_out"]["tuned"]["count"] == (72 if kind == "multi" else 24)


def test_a_classifier_is_not_asked_for_text(bert: Path) -> None:
    from lab.training import build

    run = runs.make_run(runs_folder() / new_id(), classifier(bert))
    runs.train(run)
    with pytest.raises(InputError, match="gives labels or scores, not text"):
        build.load_tuned(run.path)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_classifier_names_the_label_of_a_text_of_ones_own(bert: Path, method: str) -> None:
    from lab.serving.labels import Labels
    from lab.serving.request import Request

    run = runs.make_run(runs_folder() / new_id(), classifier(bert, method__name=method))
    runs.train(run)
    seen = [json.loads(line) for line in (run.review_path / "tuned.jsonl").read_text().splitlines()]
    texts = [row["prompt"] for row in seen]
    models = Labels(run, EventWriter(run, 2), run.path)
    found = models.answers(Request.of({"prompts": texts}, run.spec), lambda: False)
    assert [one["text"] for one in found] == [row["text"] for row in seen]
    assert [max(one["scores"].values()) for one in found] == pytest.approx(
        [row["confidence"] for row in seen], abs=1e-2
    )
    assert all(sum(one["scores"].values()) == pytest.approx(1, abs=1e-3) for one in found)


def test_contradictions_of_tasks_are_found_all_at_once() -> None:
    spec = with_overrides(
        RunSpec(), {"task": "multi-task", "tasks.sources": {"a b": "x", "c": "y"}, "tasks.kinds": {"c": "poem"},
                    "tasks.stride": 600, "data.packing": True}
    )  # fmt: skip
    with pytest.raises(InputErrors) as found:
        check(spec)
    assert {error.where for error in found.value.problems} >= {
        "tasks.stride",
        "tasks.kinds",
        "tasks.sources",
        "data.packing",
    }
