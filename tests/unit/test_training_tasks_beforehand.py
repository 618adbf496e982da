"""Bad input of a run is found before the queue, all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.cli.checks import check_run
from lab.errors import InputError, InputErrors
from lab.models import facts_of
from lab.models.architectures import shape_of
from lab.runs import beforehand
from lab.runs.home import datasets_folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def problems(model: Path, **changes: Any) -> list[InputError]:
    data = tasks.prepared(tasks.classification_rows(), "classification")
    spec = runs.make_spec(model, Path(data), **{"task": "classification"} | changes)
    return beforehand.problems(spec, facts_of(model))


def test_a_good_run_has_no_problems(bert: Path) -> None:
    assert problems(bert) == []
    assert problems(bert, method__target_modules=["query", "attention.self.value", "output.dense"]) == []


def test_a_layer_that_does_not_exist_is_answered_with_those_that_do(bert: Path) -> None:
    (found,) = problems(bert, method__target_modules=["q_proj", "query"])
    told = found.as_dict()
    assert told["where"] == "method.target_modules" and "q_proj" in told["message"]
    assert "query" in told["allowed"] and "intermediate.dense" in told["allowed"]


def test_a_rank_above_the_narrowest_layer_is_refused(bert: Path) -> None:
    (found,) = problems(bert, method__rank=65)
    assert found.where == "method.rank" and "64 dimensions" in str(found)
    assert problems(bert, method__rank=64) == problems(bert, method__name="full", method__rank=1024) == []


def test_held_out_labels_that_training_lacks_are_named(bert: Path) -> None:
    data = tasks.prepared(tasks.classification_rows(), "classification")
    counts = {"good": {"train": 5, "validation": 1, "test": 0}, "odd": {"train": 0, "validation": 2, "test": 0}}
    (datasets_folder() / data / "figures.json").write_text(json.dumps({"classes": counts}))
    spec = runs.make_spec(bert, Path(data), task="classification")
    (found,) = beforehand.problems(spec, facts_of(bert))
    assert "no training row has: odd" in str(found)


def test_everything_is_found_at_once(bert: Path) -> None:
    data = tasks.prepared(tasks.entity_rows(), "token-classification")
    changes = {"task": "classification", "method__rank": 500, "method__target_modules": ["nothing"],
               "schedule__warmup": 1.5}  # fmt: skip
    with pytest.raises(InputErrors) as found:
        check_run(runs.make_spec(bert, Path(data), **changes))
    assert [problem.where for problem in found.value.problems] == [
        "schedule.warmup",
        "method.target_modules",
        "method.rank",
        data,
    ]


def test_positions_of_a_roberta_begin_behind_its_padding() -> None:
    from transformers import RobertaConfig, RobertaModel

    config = RobertaConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                           vocab_size=100, max_position_embeddings=66, type_vocab_size=1)  # fmt: skip
    shape = shape_of(config.to_dict())
    assert shape is not None and shape.positions == 64
    assert shape.parameters == sum(weight.numel() for weight in RobertaModel(config).parameters())
