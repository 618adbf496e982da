"""Equal work of the tasks with labels: passes of like lengths learn what padded plain batches learn."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import torch
import training_runs as runs
from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding, Trainer, TrainingArguments

from lab.runs.events import EventWriter
from lab.spec import RunSpec, with_overrides
from lab.spec.parts.speed import PLAIN
from lab.training.machine import Machine
from lab.training.measure import Pace
from lab.training.steps import course
from lab.training.tasks import evaluator, plan_for
from lab.training.tasks.speed import NOT_HERE, chunks, like_lengths, padded
from lab.training.tasks.trainer import TaskTrainer

ROWS = {
    "classification": tasks.classification_rows,
    "token-classification": tasks.entity_rows,
    "extractive-qa": tasks.question_rows,
}
SMALL = 60  # tokens of a pass: a few rows of these data sets
BATCH = 12


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def spec_of(model: Path, task: str, **changes: Any) -> RunSpec:
    data = tasks.prepared(ROWS[task](60), task)
    given = {"schedule__per_device_batch": BATCH, "schedule__accumulation": 1, "schedule__max_steps": 1,
             "schedule__max_grad_norm": 0, "tasks__stride": 8, "method__name": "full",
             "method__dropout": 0.0, "speed__tokens_per_pass": SMALL}  # fmt: skip
    return runs.make_spec(model, Path(data), task=task, **given | changes)


def trainer_of(spec: RunSpec, folder: Path) -> TaskTrainer:
    """The Trainer as a run makes it; a new adapter starts away from zero."""
    folder.mkdir(exist_ok=True)
    plan: Any = plan_for(spec, folder, EventWriter(folder), Machine("cpu", "fp32", 1))
    plan.load_tokenizer()
    model = plan.load_model()
    if spec.method.whole:
        model.requires_grad_(True)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.1)
    plan.encode(spec)
    return plan.trainer(model, course(spec, len(plan.train)), Pace(), folder, [])


def one_step(trainer: Trainer, rows: Any, size: int = 0) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one update over these rows, in batches of `size` or, with 0, as one."""
    model = trainer.model.train()
    model.zero_grad()
    batches = [trainer.data_collator(part) for part in chunks(rows, size or len(rows))]
    items = trainer._get_num_items_in_batch(batches, torch.device("cpu"))
    trainer.current_gradient_accumulation_steps = len(batches)
    loss = sum(float(trainer.training_step(model, batch, items)) for batch in batches)
    return loss, {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}


def far(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The difference of two gradients, relative to the size of the second."""
    assert found.keys() == expected.keys()
    difference = torch.cat([(found[n] - expected[n]).flatten() for n in expected])
    return float(difference.norm() / torch.cat([part.flatten() for part in expected.values()]).norm())


def plain(trainer: TaskTrainer, folder: Path) -> Trainer:
    """transformers' own Trainer with its own collator, on the same model: the loss is the model's."""
    tokenizer, task = trainer.plan.tokenizer, trainer.plan.spec.task
    collators = {"token-classification": DataCollatorForTokenClassification(tokenizer)}
    config = TrainingArguments(str(folder), use_cpu=True, report_to=[], remove_unused_columns=False)
    return Trainer(trainer.model, config, data_collator=collators.get(task, DataCollatorWithPadding(tokenizer)))


def as_rows(task: str, items: Any) -> list[dict[str, Any]]:
    """Items as transformers' collators take them."""
    found = []
    for item in items:
        row: dict[str, Any] = {"input_ids": item.input_ids, "token_type_ids": item.type_ids}
        if task == "classification":
            row["labels"] = item.labels[0]
        elif task == "token-classification":
            row["labels"] = item.labels
        else:
            row["start_positions"], row["end_positions"] = item.labels
        found.append(row)
    return found


# --- one step ---


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("task", ROWS)
def test_one_step_has_the_gradient_of_padded_plain_transformers(
    bert: Path, task: str, method: str, tmp_path: Path
) -> None:
    trainer = trainer_of(spec_of(bert, task, method__name=method), tmp_path)
    items = [trainer.plan.train[i] for i in range(BATCH)]
    assert len(trainer.data_collator(items)["passes"]) > 2
    loss, found = one_step(trainer, items)
    assert trainer.attention_name == "eager" and trainer.model.config._attn_implementation == "sdpa"
    if method == "lora":
        assert int(trainer.choices.why["fused_lora"].split()[0]) > 0
        from lab.training.fused import unfuse_lora

        unfuse_lora(trainer.model)
    if task == "extractive-qa" and method == "lora":
        trainer.model = trainer.model.base_model  # PEFT's class for questions leaves the type ids out
        found = {name.removeprefix("base_model."): gradient for name, gradient in found.items()}
    # transformers counts padding among the places where an answer may be, so its questions come one by one.
    size = 1 if task == "extractive-qa" else BATCH
    expected_loss, expected = one_step(plain(trainer, tmp_path), as_rows(task, items), size)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert far(found, expected) < 1e-5


LOSSES: dict[str, dict[str, Any]] = {
    "plain": {},
    "smoothed": {"regularisation__label_smoothing": 0.1},
    "weights": {"regularisation__class_weights": "balanced"},
    "focal": {
        "regularisation__focal_gamma": 2.0,
        "regularisation__class_weights": "given",
        "regularisation__class_values": {"good": 3, "bad": 1},
    },
}
CASES = [("classification", loss) for loss in LOSSES]
CASES += [("token-classification", "plain"), ("token-classification", "weights"), ("token-classification", "smoothed")]
CASES += [("extractive-qa", "plain"), ("extractive-qa", "smoothed")]


@pytest.mark.parametrize(("task", "loss"), CASES)
def test_passes_give_the_gradient_of_one_row_at_a_time(bert: Path, task: str, loss: str, tmp_path: Path) -> None:
    """Summed over single rows without any padding and divided by all labels, with weights and all."""
    trainer = trainer_of(spec_of(bert, task, **LOSSES[loss]), tmp_path)
    items = [trainer.plan.train[i] for i in range(BATCH)]
    value, found = one_step(trainer, items)
    labels = sum(label != -100 for item in items for label in item.labels)
    model = trainer.model
    model.zero_grad()
    total = 0.0
    for item in items:
        part, _ = trainer.plan.loss(model, trainer.plan.collate([item]))
        (part / labels).backward()
        total += float(part.detach()) / labels
    expected = {n: w.grad for n, w in model.named_parameters() if w.grad is not None}
    assert value == pytest.approx(total, rel=1e-5)
    assert far(found, expected) < 1e-5


@pytest.mark.parametrize("speed", ["auto", "off"])
@pytest.mark.parametrize("task", ROWS)
def test_accumulated_batches_give_the_gradient_of_the_large_batch(
    bert: Path, task: str, speed: str, tmp_path: Path
) -> None:
    norms = []
    for batch, accumulation in ((12, 1), (4, 3)):
        changes = {"schedule__per_device_batch": batch, "schedule__accumulation": accumulation,
                   "schedule__max_steps": 3, "speed__padding_free": speed}  # fmt: skip
        trainer = trainer_of(spec_of(bert, task, **changes), tmp_path)
        trainer.train()
        norms.append([(entry["grad_norm"], entry["loss"]) for entry in trainer.state.log_history if "loss" in entry])
    assert len(norms[0]) == 3
    for one, other in zip(*norms, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_the_last_update_of_an_epoch_trains_on_what_is_left(bert: Path, tmp_path: Path) -> None:
    norms = []
    for speed in ("auto", "off"):
        changes = {"schedule__per_device_batch": 5, "schedule__accumulation": 2, "schedule__max_steps": 4,
                   "speed__padding_free": speed}  # fmt: skip
        trainer = trainer_of(spec_of(bert, "token-classification", **changes), tmp_path)
        assert len(trainer.plan.train) == 36  # three updates of ten rows and one of six
        trainer.train()
        assert trainer.state.epoch == 1.0
        assert trainer.take_counts() == (sum(len(item.input_ids) for item in trainer.plan.train), 36)
        norms.append([entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def several(model: Path, speed: str) -> RunSpec:
    spec = spec_of(model, "classification", schedule__per_device_batch=4, schedule__accumulation=5,
                   schedule__max_steps=4, speed__padding_free=speed)  # fmt: skip
    sources = {
        "mood": tasks.prepared(tasks.classification_rows(60), "classification"),
        "names": tasks.prepared(tasks.entity_rows(60), "token-classification"),
    }
    kinds = {"mood": "classification", "names": "token-classification"}
    return with_overrides(spec, {"task": "multi-task", "tasks.sources": sources, "tasks.kinds": kinds})


def test_each_batch_of_several_tasks_counts_alike_in_passes_too(bert: Path, tmp_path: Path) -> None:
    found, series = [], []
    for speed in ("auto", "off"):
        trainer = trainer_of(several(bert, speed), tmp_path)
        items = [trainer.plan.train[i] for i in itertools.islice(iter(trainer._get_train_sampler()), 20)]
        assert {item.task for item in items} == {"mood", "names"}
        found.append(one_step(trainer, items, 0 if speed == "auto" else 4))
        trainer.train()
        series.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    (loss, gradient), (expected_loss, expected) = found
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert far(gradient, expected) < 1e-5
    assert len(series[0]) == 4 and series[0] == pytest.approx(series[1], rel=1e-3)


@pytest.mark.parametrize("task", ROWS)
def test_a_tokenizer_that_pads_on_the_left_changes_nothing(bert: Path, task: str, tmp_path: Path) -> None:
    trainer = trainer_of(spec_of(bert, task), tmp_path)
    items = [trainer.plan.train[i] for i in range(BATCH)]
    trainer.plan.tokenizer.padding_side = "right"
    _, right = one_step(trainer, items)
    trainer.plan.tokenizer.padding_side = "left"
    _, left = one_step(trainer, items)
    assert far(left, right) == 0.0
    part = trainer.data_collator(items)["passes"][-1]
    assert bool((part["attention_mask"].diff(dim=1) <= 0).all())  # a row is text first, then padding


# --- passes ---


def test_passes_cost_as_little_as_any_cut_of_the_sorted_lengths() -> None:
    draw = random.Random(0)
    for _ in range(30):
        lengths = [draw.randint(1, 40) for _ in range(9)]
        budget, cost = draw.choice([30, 80, 400]), draw.choice([1, 20, 100])
        groups = like_lengths(lengths, budget, cost)
        assert sorted(i for group in groups for i in group) == list(range(9))
        assert all(len(g) == 1 or len(g) * max(lengths[i] for i in g) <= budget for g in groups)
        ordered, best = sorted(lengths), float("inf")
        for cuts in itertools.product([False, True], repeat=8):
            edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), 9]
            parts = [ordered[a:b] for a, b in itertools.pairwise(edges)]
            if all(len(part) == 1 or len(part) * part[-1] <= budget for part in parts):
                best = min(best, sum(len(part) * part[-1] + cost for part in parts))
        assert padded(lengths, groups) + cost * len(groups) == best


@pytest.mark.parametrize("task", ROWS)
def test_held_out_rows_are_judged_by_length_as_each_alone(
    bert: Path, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(spec_of(bert, task), tmp_path)
    items, model = list(trainer.plan.train[:20]), trainer.model
    monkeypatch.setattr(evaluator, "TOKENS", SMALL)
    batches = evaluator.by_length(items)
    assert sorted(i for batch in batches for i in batch) == list(range(20)) and len(batches) > 3
    assert all(len(batch) * max(len(items[i].input_ids) for i in batch) <= SMALL for batch in batches)
    outputs, sums, counts = evaluator.run_over(trainer.plan, model, items, lambda: False)
    for i, item in enumerate(items):
        alone, loss, count = evaluator.run_over(trainer.plan, model, [item], lambda: False)
        assert outputs[i] == pytest.approx(alone[0], abs=1e-5)
        assert (sums[i], counts[i]) == (pytest.approx(loss[0], abs=1e-5), count[0])


def test_checkpointing_that_the_memory_plan_asks_for_takes_effect(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for needed in (False, True):
        if needed:
            monkeypatch.setattr("lab.training.choices.RESERVE", 0.0)  # nothing fits
        trainer = trainer_of(spec_of(bert, "classification", schedule__max_steps=2), tmp_path)
        assert trainer.choices.checkpointing is needed
        trainer.train()
        assert trainer.model.is_gradient_checkpointing is needed
        losses.append([entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


# --- what a run tells ---


def told(folder: Path, spec: RunSpec) -> dict[str, Any]:
    return runs.train(runs.make_run(folder, spec))


def test_the_result_tells_what_was_used_and_the_plain_path_uses_nothing(bert: Path, tmp_path: Path) -> None:
    used = told(tmp_path / "auto", spec_of(bert, "classification", method__name="lora"))
    assert used["attention"] == "eager" and used["speed"]["budget"] == SMALL
    assert "like lengths" in used["speed"]["why"]["padding_free"] and "layers" in used["speed"]["why"]["fused_lora"]
    assert used["speed"]["label_loss"] is False and used["speed"]["why"]["label_loss"] == NOT_HERE
    switches = {name.replace(".", "__"): value for name, value in PLAIN.items()}
    off = told(tmp_path / "off", spec_of(bert, "classification", method__name="lora", **switches))
    assert off["attention"] == "sdpa" and off["speed"]["padding_free"] == "off" and off["speed"]["budget"] == 0
    assert not any(value is True for value in off["speed"].values())
    assert off["final"]["train_loss"] == pytest.approx(used["final"]["train_loss"], rel=1e-5)


def test_a_stopped_run_of_many_passes_ends_as_an_uninterrupted_one(bert: Path, tmp_path: Path) -> None:
    changes = {"schedule__max_steps": 12, "schedule__per_device_batch": 4, "schedule__accumulation": 2,
               "evaluation__every_steps": 4, "schedule__learning_rate": 3e-3}  # fmt: skip
    spec = spec_of(bert, "token-classification", **changes)
    whole, broken = (runs.make_run(tmp_path / name, spec) for name in ("whole", "broken"))
    runs.train(whole)
    assert runs.train(broken, runs.StopAt(broken, 6))["ended"] == "stopped"
    assert runs.train(broken, attempt=2)["ended"] == "finished"
    assert runs.weights_sha(broken.final_path) == runs.weights_sha(whole.final_path)
    other = runs.make_run(tmp_path / "other", with_overrides(spec, {"seed": 7}))
    runs.train(other)
    assert runs.weights_sha(other.final_path) != runs.weights_sha(whole.final_path)
