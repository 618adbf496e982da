"""Real trainings of a tiny model, stopped, killed, resumed and continued through the real queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.json_io import read_json
from lab.runs import client
from lab.runs.directory import RunDirectory
from lab.runs.home import lab_home
from lab.runs.procs import Process
from lab.runs.store import Store
from lab.runs.supervision import ensure_supervisor, is_running, lock_path
from lab.runs.view import read_run
from lab.spec import RunSpec, build

pytestmark = pytest.mark.slow
FOREVER = 100_000


@pytest.fixture
def spec_of(tiny_llama: Path, tmp_path: Path) -> Callable[[int], RunSpec]:
    """A function that makes the spec of so many steps on a small file."""
    data = tmp_path / "questions.jsonl"
    rows = [{"question": f"What is {n} plus 1?", "answer": f"It is {n + 1}."} for n in range(40)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(steps: int) -> RunSpec:
        return build(
            {
                "model": {"source": str(tiny_llama)},
                "data": {"source": str(data), "max_length": 64},
                "schedule": {"max_steps": steps, "per_device_batch": 2, "accumulation": 1, "short_steps": 4},
                "evaluation": {"every_steps": 50_000, "samples": 0, "review_prompts": 0, "max_examples": 4},
                "checkpoints": {"every_steps": 10},
                "resources": {"device": "cpu", "threads": 1},
            }
        )

    return make


def until(true: Callable[[], object], timeout_s: float = 40.0) -> None:
    """Wait until something is true; fail when it never is."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def at_step(run: str, step: int) -> Callable[[], bool]:
    return lambda: int(read_run(run).progress.get("step") or 0) >= step


def sealed(run: str) -> list[int]:
    return [checkpoint.step for checkpoint in RunDirectory.of(run).sealed_checkpoints()]


def process_of(run: str, name: str) -> Process:
    """The shim or the worker of a run's last attempt."""
    directory = RunDirectory.of(run)
    record = (read_json(directory.attempt_path(directory.attempts()[-1]) / "shim.json") or {}).get(name)
    process = Process.from_record(record)
    assert process is not None
    return process


def send(process: Process, number: int) -> None:
    handle = process.handle()
    assert handle is not None, "it has ended already"
    signal.pidfd_send_signal(handle, number)
    os.close(handle)


def kill_supervisor() -> None:
    process = Process.from_record(json.loads(lock_path().read_text())["process"])
    assert process is not None
    send(process, signal.SIGKILL)
    until(lambda: not is_running())


def test_a_training_outlives_its_supervisor_and_is_stopped_killed_and_resumed_without_loss(
    spec_of: Callable[[int], RunSpec],
) -> None:
    first, second = client.submit(spec_of(FOREVER)), client.submit(spec_of(6))
    until(at_step(first, 12))
    worker = process_of(first, "worker")

    # Nothing that a supervisor knew dies with it: the next one adopts the run and the queue.
    kill_supervisor()
    reached = read_run(first).progress["step"]
    until(at_step(first, reached + 5))
    ensure_supervisor()
    light = client.wait(client.submit_request("prepare", {"path": "/nowhere.csv", "model": "demo"}), 30)
    assert light.state == "failed"  # it did not wait behind the training
    assert (process_of(first, "worker"), Store().run(first).state) == (worker, "running")
    assert client.show(second)["state"] == "queued"

    # A stop seals what there is and never looks like success; then the next one gets the device.
    client.stop(first)
    stopped = client.wait(first, 40)
    assert (stopped.state, stopped.row.attempt) == ("interrupted", 1)
    assert (stopped.result or {})["ended"] == "stopped"
    assert sealed(first)[-1] == (stopped.result or {})["step"]
    assert client.wait(second, 60).state == "succeeded"

    # A killed worker is an interruption with a reason, and the run goes on from what was sealed.
    resumed_from = sealed(first)[-1]
    client.resume(first)
    until(at_step(first, resumed_from + 12))
    send(process_of(first, "worker"), signal.SIGKILL)
    killed = client.wait(first, 20)
    assert (killed.state, killed.row.attempt) == ("interrupted", 2)
    assert killed.reason is not None
    assert "killed by signal" in killed.reason["template"]
    steps = [step for step, _ in killed.series["train_loss"]]
    assert steps == sorted(set(steps))

    client.stop(first, discard=True)
    assert client.wait(first, 20).state == "cancelled"
    states = [after for _, after, _ in Store().history(first)]
    assert states.count("cancelled") == 1
    assert "succeeded" not in states


def test_a_worker_killed_before_its_first_checkpoint_is_a_failed_run(
    spec_of: Callable[[int], RunSpec],
) -> None:
    run = client.submit(spec_of(FOREVER))
    until(lambda: read_run(run).phase == "load")
    send(process_of(run, "worker"), signal.SIGKILL)
    view = client.wait(run, 20)
    assert (view.state, sealed(run)) == ("failed", [])
    assert [phase.status for phase in view.phases] == ["stopped"]


def test_a_worker_whose_shim_was_killed_is_still_watched_and_stopped(
    spec_of: Callable[[int], RunSpec],
) -> None:
    run = client.submit(spec_of(FOREVER))
    until(at_step(run, 12))
    worker = process_of(run, "worker")
    send(process_of(run, "shim"), signal.SIGKILL)
    time.sleep(1.2)  # longer than two looks of the supervisor
    assert (Store().run(run).state, process_of(run, "worker")) == ("running", worker)
    client.stop(run)
    view = client.wait(run, 40)
    assert (view.state, sealed(run)[-1]) == ("interrupted", (view.result or {})["step"])


def test_a_worker_that_does_not_stop_is_ended_after_the_grace_time(
    spec_of: Callable[[int], RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_STOP_GRACE_S", "1")
    run = client.submit(spec_of(FOREVER))
    until(lambda: sealed(run))
    send(process_of(run, "worker"), signal.SIGSTOP)  # it hangs
    client.stop(run)
    view = client.wait(run, 20)
    assert view.state == "interrupted"
    assert view.reason is not None
    assert "did not stop in time" in view.reason["template"]
    assert process_of(run, "worker").handle() is None


def test_a_short_run_is_continued_as_the_full_run_from_its_checkpoint(
    spec_of: Callable[[int], RunSpec],
) -> None:
    short = client.wait(client.submit(spec_of(9), short=True), 60)
    assert (short.state, (short.result or {})["ended"], (short.result or {})["step"]) == (
        "succeeded",
        "short",
        4,
    )
    run = client.continue_full(short.run)
    full = client.wait(run, 60)
    assert (full.state, (full.result or {})["ended"], (full.result or {})["step"]) == (
        "succeeded",
        "finished",
        9,
    )
    assert (full.row.parent, full.spec) == (short.run, short.spec)
    assert [step for step, _ in full.series["train_loss"]] == list(range(1, 10))
    assert full.series["train_loss"][:4] == short.series["train_loss"]  # trained once, not twice
    assert read_run(short.run).state == "succeeded"
    assert sealed(short.run) == [4]


def test_a_run_outlives_the_program_that_started_it(spec_of: Callable[[int], RunSpec], tmp_path: Path) -> None:
    from lab.spec import dump

    spec = tmp_path / "spec.yaml"
    spec.write_text(dump(spec_of(8)))
    command = [sys.executable, "-m", "lab", "train", "--spec", str(spec), "--wait", "--json"]
    program = subprocess.Popen(command, cwd=Path(__file__).parents[2], start_new_session=True)
    until(lambda: (lab_home() / "lab.db").exists() and client.list_runs() and client.list_runs()[0].state == "running")
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    assert client.wait(client.list_runs()[0].id, 60).state == "succeeded"
