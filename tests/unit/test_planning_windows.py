"""A passage that is read in windows counts as many examples in the plan as in the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import training_runs as runs

from lab.cli.checks import check_run
from lab.data.options import Options
from lab.data.prepare import prepare_dataset
from lab.data.progress import NotesOnly
from lab.planning import plan
from lab.planning.windows import windows_of_row
from lab.runs.windows import windows_of
from lab.spec import RunSpec, with_overrides

FEW = {
    "task": "extractive-qa", "tasks__stride": 8, "data__max_length": 32, "schedule__max_steps": 1,
    "method__name": "full", "evaluation__every_steps": 1, "evaluation__max_examples": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.build_tiny_bert(tmp_path_factory.mktemp("bert"))


def passages(count: int = 40) -> list[dict[str, Any]]:
    """Questions whose passages grow from a sentence to several windows; the answer comes first."""
    rows = tasks.question_rows(count)
    return [row | {"context": f"{row['context']} {'the film was ' * i}"} for i, row in enumerate(rows)]


def written(path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in passages()))
    return path


def test_a_row_of_1000_tokens_is_read_in_four_windows_of_384() -> None:
    assert windows_of_row(1000, 12, 384, 128) == 4
    assert [windows_of_row(n, 12, 384, 128) for n in (10, 384, 385, 628, 629)] == [1, 1, 2, 2, 3]


def test_the_plan_of_a_file_counts_the_windows_that_the_run_trains_on(bert: Path, tmp_path: Path) -> None:
    spec = runs.make_spec(bert, written(tmp_path / "rows.jsonl"), **FEW)
    checked = check_run(spec)
    result = runs.train(runs.make_run(tmp_path / "run", spec))
    assert checked.plan["rows"] == result["data"]["rows"]["train"] == 36
    assert checked.plan["examples"] == result["examples"] > 60
    assert checked.plan["steps"] == result["steps"]
    told = next(verdict for verdict in checked.plan["verdicts"] if verdict["field"] == "tasks.stride")
    assert told["why"].startswith(f"36 rows are read in about {result['examples']} windows")


def test_the_lengths_of_a_prepared_data_set_give_about_the_windows_of_the_run(bert: Path, tmp_path: Path) -> None:
    options = Options(model=str(bert), max_length=32, kind="extractive-qa")
    told = prepare_dataset(written(tmp_path / "rows.jsonl"), options, NotesOnly())
    spec = runs.make_spec(bert, Path(told["dataset"]), **FEW)
    planned = plan(spec, examples=told["rows"]["train"], windows=windows_of(spec))  # nothing has read these rows yet
    result = runs.train(runs.make_run(tmp_path / "run", spec))
    assert planned.inputs.examples == pytest.approx(result["examples"], rel=0.1)
    assert planned.inputs.rows == 36 < planned.inputs.examples
    assert windows_of(with_overrides(spec, {"model.source": "demo"})) is None  # another tokenizer


def test_without_lengths_the_plan_says_that_windows_are_more_than_rows() -> None:
    spec = with_overrides(RunSpec(), {"task": "extractive-qa", "data.source": "squad.json", "data.examples": 179})
    (told,) = [verdict for verdict in plan(spec).verdicts if verdict.field == "tasks.stride"]
    assert told.status == "info" and "more steps than are planned" in told.why
    assert "1 + (tokens - 512) / (512 - question - 128)" in told.why
    assert not [verdict for verdict in plan(RunSpec()).verdicts if verdict.field == "tasks.stride"]
