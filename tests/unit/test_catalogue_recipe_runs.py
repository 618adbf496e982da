"""Every recipe runs: its settings are accepted as they stand, and each kind of training among them trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.catalogue import Recipe, recipe, recipes, run_spec
from lab.json_io import read_json
from lab.runs import chain
from lab.runs.directory import RunDirectory
from lab.runs.home import new_id, runs_folder
from lab.spec import RunSpec, check, with_overrides

# What a recipe asks for and a tiny run on a CPU cannot show: its size, not its kind.
TINY: dict[str, Any] = {
    **runs.QUICK,
    "model.revision": "",
    "schedule.max_steps": 2,
    "schedule.per_device_batch": 4,
    "schedule.accumulation": 1,
    "schedule.warmup": 1.0,
    "schedule.optimizer": "adamw",  # a paged optimizer lends memory to a GPU
    "evaluation.every_steps": 1,
    "evaluation.max_examples": 4,
    "evaluation.review_prompts": 1,
    "checkpoints.every_steps": None,
    "data.template": "auto",
    "data.examples": None,
    "tasks.stride": 8,
}
MODELS = {"bert": tasks.build_tiny_bert, "gpt2": tasks.build_tiny_gpt2}
ROWS = {
    "classification": lambda: tasks.classification_rows(40),
    "token-classification": lambda: tasks.entity_rows(40),
    "extractive-qa": lambda: tasks.question_rows(40),
}


def combination(spec: RunSpec) -> str:
    """What kind of training a recipe is: task, method, and what works against overfitting and forgetting."""
    against = {
        "stops-early": spec.evaluation.patience is not None,
        f"keeps-best-{spec.evaluation.best_by}": spec.evaluation.keep_best,
        "replay": bool(spec.preparation.replay_source),
        "model-dropout": spec.model.dropout is not None,
        "weight-decay": spec.schedule.weight_decay > 0,
        "neftune": spec.regularisation.neftune_alpha > 0,
        "consolidation": spec.regularisation.ewc_lambda > 0,
    }
    method = spec.method.name + ("" if spec.model.quantization == "none" else f"-{spec.model.quantization}")
    return " ".join([spec.task, method, *(name for name, on in against.items() if on)])


RUNNABLE = [entry for entry in recipes() if entry.run]
DISTINCT = {combination(run_spec(entry)): entry.id for entry in reversed(RUNNABLE)}


@pytest.mark.parametrize("entry", recipes(), ids=lambda entry: entry.id)
def test_a_recipe_runs_as_it_stands_or_says_in_a_sentence_why_not(entry: Recipe) -> None:
    if entry.run:
        check(run_spec(entry), runnable=True)
    else:
        assert entry.not_run.endswith(".") and entry.not_run.count(". ") == 0
    assert "yet" not in entry.not_run


def test_only_what_states_no_settings_at_all_does_not_run() -> None:
    assert [entry.id for entry in recipes() if not entry.run] == ["dfmea_tables"]


@pytest.mark.parametrize("entry", RUNNABLE, ids=lambda entry: entry.id)
def test_a_recipe_runs_the_task_and_the_method_that_it_is_listed_under(entry: Recipe) -> None:
    spec = run_spec(entry)
    assert spec.task == entry.task
    if entry.method in ("full", "lora", "qlora", "frozen", "progressive"):
        # An adapter on an 8-bit base is LoRA to some and QLoRA to others.
        assert {spec.method.name, entry.method} in ({entry.method}, {"lora", "qlora"})
        assert (spec.method.name == "qlora") <= (spec.model.quantization != "none")


def test_the_recipes_cover_what_the_documents_train() -> None:
    shown = {tuple(kind.split(" ")[:2]) for kind in DISTINCT}
    assert shown == {
        ("causal-lm", "full"), ("causal-lm", "lora"), ("causal-lm", "lora-8bit"), ("causal-lm", "qlora-8bit"),
        ("causal-lm", "qlora-nf4"), ("classification", "full"), ("classification", "frozen"),
        ("classification", "progressive"), ("extractive-qa", "full"), ("multi-task", "full"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> dict[str, Path]:
    """A tiny model of each family that the recipes name."""
    found = {name: build(tmp_path_factory.mktemp(name)) for name, build in MODELS.items()}
    return found | {"llama": tiny_llama}


def small(entry: Recipe, folders: dict[str, Path], folder: Path) -> RunSpec:
    """The spec of a recipe on a tiny model and tiny data, two steps long."""
    spec = run_spec(entry)
    family = next((name for name in MODELS if name in spec.model.source), "llama")
    if spec.task == "causal-lm":
        source = str(runs.write_questions(folder / "questions.jsonl"))
    else:
        source = "demo" if spec.task == "multi-task" else tasks.prepared(ROWS[spec.task](), spec.task, validation=8)
    values = TINY | {"model.source": str(folders[family]), "data.source": source}
    if spec.task == "multi-task":
        kinds = spec.tasks.kinds
        values["tasks.sources"] = {name: tasks.prepared(ROWS[kind](), kind, 8) for name, kind in kinds.items()}
    return with_overrides(spec, values)


@pytest.mark.parametrize("kind", sorted(DISTINCT))
def test_every_kind_of_training_among_the_recipes_trains(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    spec = small(recipe(DISTINCT[kind]), folders, tmp_path)
    check(spec)
    assert combination(spec) == kind
    run = runs.make_run(tmp_path / "run", spec)
    result = runs.train(run)
    assert (result["ended"], result["step"]) == ("finished", 2)
    assert all(loss > 0 for loss in runs.series(run, "train_loss").values())
    assert list(run.final_path.rglob("*.safetensors"))
    if "replay" in kind:
        told = read_json(run.path / "data" / "dataset.json") or {}
        assert told["added"]["general data"] > 0


def test_the_second_phase_of_objective_d_starts_from_the_first(folders: dict[str, Path], tmp_path: Path) -> None:
    entry = recipe("objective_d_domain")
    second = with_overrides(
        run_spec(entry),
        {"schedule.learning_rate": entry.described["phase2_lr"].value,
         "schedule.max_steps": entry.described["phase2_steps"].value},
    )  # fmt: skip
    check(second)
    first = finished(small(entry, folders, tmp_path))
    spec, parent = chain.resolved(with_overrides(small(entry, folders, tmp_path), {"model.source": first.id}))
    assert (spec.model.source, parent) == (str(first.final_path), first.id)
    assert runs.weights_sha(finished(spec).final_path) != runs.weights_sha(first.final_path)


def finished(spec: RunSpec) -> RunDirectory:
    """A finished run in LAB_HOME, where another can name it."""
    run = runs.make_run(runs_folder() / new_id(), spec)
    assert runs.train(run)["ended"] == "finished"
    return run
