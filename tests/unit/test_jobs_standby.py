"""The standby with real processes: taken by a run, lost in every way, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import training_runs as runs

from lab.jobs import memory, standby
from lab.jobs.standby import Standby
from lab.json_io import read_json
from lab.runs import client, likely
from lab.runs.directory import RunDirectory
from lab.runs.environment import of_worker
from lab.runs.marks import is_alive
from lab.runs.procs import Process
from lab.runs.store import Store
from lab.runs.supervision import end_supervisor, ensure_supervisor, is_running, lock_path
from lab.runs.view import read_run
from lab.spec import RunSpec, build, with_overrides
from lab.spec.parts.speed import PLAIN

pytestmark = pytest.mark.slow
FOREVER = 100_000


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests want what other tests are spared."""
    monkeypatch.delenv("LAB_STANDBY", raising=False)


@pytest.fixture
def spec_of(tiny_llama: Path, tmp_path: Path) -> Callable[[int], RunSpec]:
    """A function that makes the spec of so many steps on a small file."""
    data = runs.write_questions(tmp_path / "questions.jsonl")

    def make(steps: int) -> RunSpec:
        return build(
            {
                "model": {"source": str(tiny_llama)},
                "data": {"source": str(data), "max_length": 64},
                "schedule": {"max_steps": steps, "per_device_batch": 2, "accumulation": 1},
                "evaluation": {"every_steps": 50_000, "samples": 0, "review_prompts": 0, "max_examples": 4},
                "checkpoints": {"every_steps": 10},
                "resources": {"device": "cpu"},
            }
        )

    return make


def until(true: Callable[[], object], timeout_s: float = 90.0) -> None:
    """Wait until something is true; fail when it never is."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def processes(name: str) -> list[psutil.Process]:
    """The living processes of this LAB_HOME that run the module lab.jobs.`name`."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            ours = len(words) > 2 and words[2] == f"lab.jobs.{name}" and process.status() != psutil.STATUS_ZOMBIE
            if ours and process.environ()["LAB_HOME"] == os.environ["LAB_HOME"]:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or somebody else's
    return found


def waiting() -> list[psutil.Process]:
    """Shim and worker of the standby, as far as they live."""
    return [*processes("standby_shim"), *processes("standby_worker")]


def ready() -> bool:
    """Whether the standby has imported everything: it sleeps in a read, and has slept for a while."""
    found = processes("standby_worker")
    if len(found) != 1 or found[0].memory_info().rss < 200 * 2**20:
        return False
    before = found[0].cpu_times()
    time.sleep(0.5)
    return bool(found[0].is_running() and found[0].cpu_times() == before)


def kept_for(spec: RunSpec) -> None:
    """Say that such a run is likely, as the Train page does, and wait until the standby is there."""
    likely._said.clear()
    likely.expect(spec)
    until(ready)


def attempt(run: str, name: str) -> dict[str, Any]:
    """A mark of the last attempt of a run."""
    directory = RunDirectory.of(run)
    number = max(directory.attempts(), default=1)
    return read_json(directory.attempt_path(number) / f"{name}.json") or {}


def at_step(run: str, step: int) -> Callable[[], bool]:
    return lambda: int(read_run(run).progress.get("step") or 0) >= step


def started(run: str) -> list[tuple[str, str]]:
    """How each attempt of a run was started, as its events tell."""
    return [(event["start"], event["why"]) for event in runs.events(RunDirectory.of(run), "start")]


def send(record: dict[str, Any], number: int) -> None:
    process = Process.from_record(record)
    handle = process.handle() if process else None
    assert handle is not None, "it has ended already"
    signal.pidfd_send_signal(handle, number)
    os.close(handle)


# --- a run takes it ---


def test_a_warm_run_differs_from_a_cold_one_in_its_start_alone(spec_of: Callable[[int], RunSpec]) -> None:
    cold = client.wait(client.submit(spec_of(8)), 90)
    kept_for(spec_of(8))
    worker = processes("standby_worker")[0]
    assert Path(worker.cwd()) == Path("/")
    run = client.submit(spec_of(8))
    until(lambda: attempt(run, "shim"))
    assert attempt(run, "shim")["worker"]["pid"] == worker.pid  # it was there before
    warm = client.wait(run, 90)
    assert (cold.state, warm.state) == ("succeeded", "succeeded")
    assert (started(cold.run), started(warm.run)) == ([("cold", "none was kept")], [("warm", "")])
    for view, start in ((cold, "cold"), (warm, "warm")):
        told = (view.result or {})["start"]
        assert told["start"] == start
        assert told["first_step_s"] > 0
    assert runs.weights_sha(warm.directory.final_path) == runs.weights_sha(cold.directory.final_path)
    assert attempt(cold.run, "exit").keys() == attempt(warm.run, "exit").keys()
    assert (attempt(cold.run, "exit")["code"], attempt(warm.run, "exit")["code"]) == (0, 0)
    for view in (cold, warm):
        assert "train_loss" in view.directory.log_text()  # what the libraries print goes where it belongs
        assert view.directory.log_text() == (view.directory.path / "log.txt").read_text()
        assert (view.directory.attempt_path(1) / "work").is_dir()
        assert not is_alive(view.directory.attempt_path(1))
    names = [sorted(path.name for path in view.directory.attempt_path(1).iterdir()) for view in (cold, warm)]
    assert names[0] == names[1]
    assert [after for _, after, _ in Store().history(run)] == ["queued", "starting", "running", "succeeded"]


def test_a_warm_run_outlives_its_supervisor_and_is_stopped_resumed_and_killed_like_a_cold_one(
    spec_of: Callable[[int], RunSpec],
) -> None:
    kept_for(spec_of(FOREVER))
    run = client.submit(spec_of(FOREVER))
    until(at_step(run, 12))
    folder = RunDirectory.of(run).attempt_path(1)
    worker = psutil.Process(attempt(run, "shim")["worker"]["pid"])
    own = of_worker(RunDirectory.of(run).request, 1, folder / "work")
    held = {os.path.realpath(file) for file in Path(f"/proc/{worker.pid}/fd").iterdir()}
    assert {str(folder / "lock"), str(lock_path().parent / "locks" / "device0.lock")} <= held
    assert Path(worker.cwd()) == folder / "work"
    assert {name: value for name, value in worker.environ().items() if name in own} == {
        name: value for name, value in own.items() if name not in ("LAB_ATTEMPT", "HF_DATASETS_CACHE")
    }

    send(json.loads(lock_path().read_text())["process"], signal.SIGKILL)
    until(lambda: not is_running())
    assert is_alive(folder)
    reached = int(read_run(run).progress["step"])
    until(at_step(run, reached + 5))
    ensure_supervisor()
    client.stop(run)
    stopped = client.wait(run, 60)
    assert (stopped.state, attempt(run, "exit")["code"]) == ("interrupted", 75)
    sealed = RunDirectory.of(run).sealed_checkpoints()[-1].step
    assert sealed == (stopped.result or {})["step"]

    kept_for(spec_of(FOREVER))
    client.resume(run)
    until(at_step(run, sealed + 12))
    send(attempt(run, "shim")["worker"], signal.SIGKILL)
    killed = client.wait(run, 30)
    assert (killed.state, attempt(run, "exit")["signal"]) == ("interrupted", int(signal.SIGKILL))
    assert killed.reason is not None
    assert "killed by signal" in killed.reason["template"]
    assert started(run) == [("warm", ""), ("warm", "")]


def test_a_warm_worker_whose_shim_was_killed_is_still_watched_and_stopped(spec_of: Callable[[int], RunSpec]) -> None:
    kept_for(spec_of(FOREVER))
    run = client.submit(spec_of(FOREVER))
    until(at_step(run, 12))
    send(attempt(run, "shim")["shim"], signal.SIGKILL)
    reached = int(read_run(run).progress["step"])
    until(at_step(run, reached + 5))
    client.stop(run)
    view = client.wait(run, 60)
    assert view.state == "interrupted"
    assert RunDirectory.of(run).sealed_checkpoints()[-1].step == (view.result or {})["step"]


def test_a_run_that_comes_while_the_standby_still_imports_takes_it(spec_of: Callable[[int], RunSpec]) -> None:
    likely.expect(spec_of(4))
    until(lambda: processes("standby_worker"))
    worker = processes("standby_worker")[0].pid
    run = client.submit(spec_of(4))
    assert client.wait(run, 90).state == "succeeded"
    assert (started(run), attempt(run, "shim")["worker"]["pid"]) == ([("warm", "it was still importing")], worker)


# --- it is lost ---


def test_a_run_starts_afresh_when_the_standby_was_killed(spec_of: Callable[[int], RunSpec]) -> None:
    kept_for(spec_of(4))
    processes("standby_worker")[0].kill()
    run = client.submit(spec_of(4))
    view = client.wait(run, 90)
    assert (view.state, view.row.attempt) == ("succeeded", 1)
    ((start, why),) = started(run)
    assert start == "cold"
    assert why in ("it died", "it did not answer")  # as far as its shim had noticed
    assert view.notes == [note for note in view.notes if "standby" not in note["template"]]  # nothing for a person


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standby]:
    """A standby that this process keeps, as the supervisor does, while nobody edits the code; it may take its time."""
    monkeypatch.setattr(standby, "code_version", lambda: "as it is")
    monkeypatch.setattr(standby, "ANSWER_S", 60.0)
    Path(os.environ["LAB_HOME"]).mkdir(exist_ok=True)
    held = Standby()
    held.expect({})
    held.look(free=True)
    yield held
    held.end()


def test_a_standby_that_hangs_is_ended_and_refused(kept: Standby, monkeypatch: pytest.MonkeyPatch) -> None:
    until(ready)
    assert kept.refusal({}) == ""
    monkeypatch.setattr(standby, "ANSWER_S", 0.5)
    for name in ("standby_worker", "standby_shim"):
        processes(name)[0].suspend()
        assert kept.refusal({}) == "it did not answer"
        until(lambda: not waiting())
        assert not kept.hand_over(Path("/nowhere"), 1, [])
        kept.look(free=True)  # somebody still expects a run: the next one
        until(ready)


def test_a_standby_of_another_environment_or_of_other_code_is_refused_and_followed_by_one_that_fits(
    kept: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(waiting)
    assert kept.refusal({"standby": False}) == "switched off"
    assert kept.refusal({"threads": 3}) == "another environment"
    assert kept.refusal({}) == "another environment"  # why there is none any more
    kept.look(free=True)
    assert kept.refusal({}) == ""
    first = {process.pid for process in waiting()}
    kept.expect({"threads": 3})
    kept.look(free=True)  # ends the one
    kept.look(free=True)  # starts the other
    until(lambda: len(waiting()) == 2 and not first & {process.pid for process in waiting()})
    assert kept.refusal({"threads": 3}) == ""
    monkeypatch.setattr(standby, "code_version", lambda: "edited")
    assert kept.refusal({"threads": 3}) == "the code has changed"
    until(lambda: not waiting())


def test_none_is_kept_while_memory_is_short_or_a_run_has_the_device(
    kept: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(waiting)
    monkeypatch.setattr(standby, "available_gib", lambda: 1.99)
    kept.look(free=True)
    until(lambda: not waiting())
    assert kept.refusal({}) == "memory was short"
    kept.look(free=True)
    monkeypatch.setattr(standby, "available_gib", memory.available_gib)
    kept.look(free=False)
    assert waiting() == []
    kept.look(free=True)
    until(waiting)


def test_the_version_of_the_code_changes_with_an_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "one.py").write_text("a = 1\n")
    monkeypatch.setattr(standby, "REPOSITORY", tmp_path)
    before = standby.code_version()
    assert standby.code_version() == before
    (tmp_path / "lab" / "one.py").write_text("a = 22\n")
    edited = standby.code_version()
    (tmp_path / "lab" / "two.py").touch()
    assert len({before, edited, standby.code_version()}) == 3


def test_what_is_available_is_less_than_what_the_machine_has() -> None:
    assert 0 < memory.available_gib() < psutil.virtual_memory().total / 2**30


# --- it is not left behind ---


def test_its_time_ends(spec_of: Callable[[int], RunSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STANDBY_S", "1")
    likely.expect(spec_of(4))
    until(waiting)
    until(lambda: not waiting())
    assert is_running()  # the supervisor goes on


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", [waiting, ready])
def test_it_ends_with_the_supervisor_however_that_ends(
    spec_of: Callable[[int], RunSpec], number: signal.Signals, moment: Callable[[], object]
) -> None:
    likely.expect(spec_of(4))
    until(moment)
    if number == signal.SIGTERM:
        end_supervisor()
    else:
        send(json.loads(lock_path().read_text())["process"], number)
    until(lambda: not waiting() and not is_running())


def test_its_worker_ends_with_its_shim(kept: Standby) -> None:
    until(lambda: len(waiting()) == 2)
    processes("standby_shim")[0].kill()
    until(lambda: not waiting())
    kept.look(free=True)
    assert (kept.wanted, kept.refusal({})) == (False, "it died")


# --- who wants it ---


def test_nobody_keeps_one_that_is_switched_off(
    spec_of: Callable[[int], RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(4)
    assert PLAIN["speed.standby"] is False
    likely.expect(with_overrides(spec, {"speed.standby": False}))
    assert likely.needs(with_overrides(spec, PLAIN))["standby"] is False
    monkeypatch.setenv("LAB_STANDBY", "off")
    likely.expect(spec)
    assert not (lock_path().parent / "lab.db").exists()


def test_saying_it_again_and_again_costs_one_message(spec_of: Callable[[int], RunSpec]) -> None:
    likely.expect(spec_of(4))
    until(lambda: Store().expected() is None)
    likely.expect(spec_of(4))
    likely.expect(spec_of(5))  # the same process would do
    assert Store().expected() is None
    likely.expect(with_overrides(spec_of(4), {"resources.threads": 1}))
    until(lambda: len(processes("standby_worker")) == 1)
