"""A run whose model is the result of another one: planned, checked, queued and trained from what that run left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import training_runs as runs

from lab.cli import main
from lab.json_io import write_json
from lab.models import facts_of
from lab.runs import chain, client, find_lr, naming
from lab.runs.directory import RunDirectory
from lab.runs.home import new_id, runs_folder
from lab.ui import estimate


@pytest.fixture
def first(tiny_llama: Path, tmp_path: Path) -> RunDirectory:
    """A finished run with an adapter, and so with a merged model."""
    data = runs.write_questions(tmp_path / "questions.jsonl")
    run = runs.make_run(runs_folder() / new_id(), runs.make_spec(tiny_llama, data, schedule__max_steps=1))
    assert runs.train(run)["ended"] == "finished"
    return run


def test_the_plan_of_a_chained_run_knows_the_model_that_it_starts_from(
    first: RunDirectory, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = runs.make_spec(Path(first.id), Path(first.spec.data.source))
    found = estimate.of(spec)
    assert found.model_error is None
    assert found.made.memory.total_gib == estimate.of(runs.make_spec(tiny_llama, Path("x"))).made.memory.total_gib
    assert main(["plan", f"--set=model.source={first.id}", "--set=data.examples=100", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trainable"]["share"] == pytest.approx(
        told["trainable"]["parameters"] / facts_of(tiny_llama).parameters
    )


def test_what_a_run_left_is_offered_and_called_by_the_runs_name(first: RunDirectory) -> None:
    assert chain.is_offered(first.id)
    merged = str(first.final_path / "merged")
    assert (chain.run_of(merged), chain.run_of(first.id), chain.run_of("a/b")) == (first.id, first.id, "")
    assert naming.model_name(merged) == "merged"  # nobody has named the run
    write_json(first.path / "request.json", first.request | {"name": "first step"})
    assert naming.model_name(merged) == naming.model_name(first.id) == "first step"
    assert naming.default_name(runs.make_spec(Path(merged), Path("/x.jsonl"))).startswith("first step LoRA")
    (first.final_path / "task.json").write_text("{}")
    assert not chain.is_offered(first.id)


def test_a_run_that_is_gone_is_told_at_the_model(lab_home: Path) -> None:
    assert estimate.of(runs.make_spec(Path(new_id()), Path("x"))).model_error is not None


@pytest.mark.slow
def test_a_chained_run_and_its_rate_test_go_through_the_queue(first: RunDirectory) -> None:
    spec = runs.make_spec(Path(first.id), Path(first.spec.data.source), schedule__max_steps=1)
    second = client.wait(client.submit(spec), 90)
    assert (second.state, second.row.parent) == ("succeeded", first.id)
    assert second.spec is not None and second.spec.model.source == str(first.final_path / "merged")
    tried = client.wait(find_lr.submit(spec, find_lr.Sweep(steps=10, seeds=1)), 90)
    assert tried.state == "succeeded", tried.error
