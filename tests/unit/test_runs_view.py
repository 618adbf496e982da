"""A run as a person sees it while it waits, goes on, and before its first step."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.json_io import write_json
from lab.runs import client, naming, registry, view
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.home import datasets_folder, new_id
from lab.runs.store import Store
from lab.runs.view import read_run
from lab.spec import RunSpec, build

PLAN = {"steps": 765}


@pytest.fixture(autouse=True)
def nobody_supervises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs stay where a test puts them."""
    monkeypatch.setattr(client, "ensure_supervisor", lambda: None)


def move(run: str, *states: str, attempt: int = 1) -> None:
    for state in states:
        assert Store().move(Store().run(run), state, attempt=attempt)


def report(run: str, attempt: int, *, until: int, steps: int) -> None:
    """What a worker tells up to its checkpoint at step `until`."""
    events = EventWriter(RunDirectory.of(run), attempt)
    with events.phase("load"):
        pass
    with events.phase("train"):
        events.progress(until, steps)
        events.checkpoint(until, f"checkpoints/checkpoint-{until}", "stop")
    events.close()


def test_a_short_run_has_its_own_goal_while_it_waits() -> None:
    short = read_run(client.submit(RunSpec(), short=True, plan=PLAN))
    full = read_run(client.submit(RunSpec(), plan=PLAN))
    assert (short.goal, full.goal) == (RunSpec().schedule.short_steps, 765)
    assert client.show(short.run)["steps"] == RunSpec().schedule.short_steps


def test_a_waiting_run_tells_its_place_what_runs_now_and_that_it_has_nothing_to_keep() -> None:
    first, second, third = (client.submit(RunSpec(), plan=PLAN) for _ in range(3))
    answers = client.submit_request("generate", {"run": first, "prompts": ["x"]}, parent=first)
    move(first, "starting", "running")
    waiting = read_run(third)
    assert (waiting.queue_place, waiting.can_keep) == (1, False)
    assert waiting.waits_for is not None and waiting.waits_for.id == first
    assert read_run(second).queue_place == 0
    assert read_run(first).queue_place is None and read_run(first).waits_for is None
    assert read_run(answers).waits_for is None  # another lane


def test_a_resumed_run_shows_the_step_of_its_checkpoint_and_no_phase_until_it_comes_to_one() -> None:
    run = client.submit(RunSpec(), plan=PLAN)
    move(run, "starting", "running")
    report(run, 1, until=30, steps=765)
    move(run, "stopping", "interrupted")
    stopped = read_run(run)
    assert [phase.name for phase in stopped.phases] == ["load", "train"]
    move(run, "queued")
    waiting = read_run(run)
    assert (waiting.phases, waiting.progress["step"], waiting.goal) == ([], 30, 765)
    assert waiting.progress["done"] == pytest.approx(30 / 765)
    move(run, "starting", "running", attempt=2)
    EventWriter(RunDirectory.of(run), 2).write("phase", phase="load", status="start")
    loading = read_run(run)
    assert ([phase.name for phase in loading.phases], loading.phase) == (["load"], "load")
    assert (loading.progress["step"], loading.progress["steps"]) == (30, 765)


def test_the_full_run_of_a_short_one_goes_on_at_its_step_with_phases_of_its_own() -> None:
    short = client.submit(RunSpec(), short=True, plan=PLAN)
    move(short, "starting", "running")
    report(short, 1, until=30, steps=30)
    move(short, "succeeded")
    longer = read_run(client.continue_full(short))
    assert (longer.phases, longer.progress["step"], longer.goal) == ([], 30, 765)


def test_a_run_without_a_name_is_named_after_model_method_and_data_and_twice_the_same_is_numbered() -> None:
    identifier = new_id()
    (datasets_folder() / identifier).mkdir()
    write_json(datasets_folder() / identifier / "dataset.json", {"id": identifier, "name": "codealpaca_4k"})
    spec = build({"data": {"source": identifier}})
    names = [read_run(client.submit(spec, plan=PLAN)).row.name for _ in range(2)]
    assert names == ["demo LoRA, codealpaca_4k", "demo LoRA, codealpaca_4k 2"]
    assert client.show(client.submit(build({"name": "Mine"}), plan=PLAN))["name"] == "Mine"
    assert naming.default_name(build({"method": {"name": "full"}, "model": {"source": "a/b"}})) == "b full, demo"
    assert registry.name_of(identifier) == "codealpaca_4k"
    assert registry.name_of(new_id()) and registry.name_of("/home/me/rows.csv") == "rows.csv"
    assert registry.name_of("owner/rows") == "owner/rows"


def test_folders_and_files_are_absolute_once_a_run_is_handed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_text("question,answer\na,b\n")
    monkeypatch.chdir(tmp_path)
    run = client.submit(build({"data": {"source": "rows.csv"}}), plan=PLAN)
    assert RunDirectory.of(run).spec.data.source == str(tmp_path / "rows.csv")
    assert view.read_run(run).row.name == "demo LoRA, rows.csv"
