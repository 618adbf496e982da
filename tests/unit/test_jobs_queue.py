"""The queue with real processes and quick jobs: who runs when, and what survives which death."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import InputError, LabError, NotFoundError
from lab.runs import client
from lab.runs.directory import RunDirectory
from lab.runs.home import locks_folder
from lab.runs.locks import try_lock
from lab.runs.procs import Process
from lab.runs.reindex import reindex
from lab.runs.states import LANE_OF
from lab.runs.store import Store
from lab.runs.supervision import end_supervisor, ensure_supervisor, is_running, lock_path
from lab.spec import RunSpec

REPOSITORY = Path(__file__).parents[2]
NO_FILE = {
    "path": "/nowhere/at/all.csv",
    "model": "demo",
}  # fails within a tenth of a second, with a sentence


def until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until something is true; fail when it never is."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def supervisor() -> Process:
    """The supervisor that is alive now."""
    until(lambda: is_running() and lock_path().read_text())
    found = Process.from_record(json.loads(lock_path().read_text())["process"])
    assert found is not None
    return found


def test_a_job_that_fails_tells_its_own_sentence_and_leaves_the_record_of_it() -> None:
    run = client.submit_request("prepare", NO_FILE)
    view = client.wait(run, 20)
    assert view.state == "failed"
    assert view.error is not None
    assert (view.error["kind"], view.reason) == (
        "input",
        {"template": view.error["template"], "values": view.error["values"]},
    )
    attempt = view.directory.attempt_path(1)
    assert json.loads((attempt / "exit.json").read_text())["code"] == 2
    assert "Traceback" in view.directory.log_text()
    assert view.directory.log_text() == (view.directory.path / "log.txt").read_text()
    assert [after for _, after, _ in Store().history(run)] == ["queued", "starting", "running", "failed"]


def test_the_command_line_of_every_process_is_constant_and_the_environment_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary")
    monkeypatch.setenv("LAB_STOP_GRACE_S", "1")
    run = client.submit_request("prepare", NO_FILE | {"name": "$(touch /tmp/x); `id` --help\n"})
    seen: dict[str, tuple[list[str], str]] = {}

    def look() -> bool:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_text().split("\0")[:-1]
                environment = (folder / "environ").read_text()
            except OSError:
                continue
            if len(words) > 2 and words[2].startswith("lab.jobs.") and str(lock_path().parent) in environment:
                seen[words[2]] = (words, environment)
        return len(seen) == 3

    until(look)
    assert seen["lab.jobs.worker"][0][1:] == ["-m", "lab.jobs.worker", str(RunDirectory.of(run).path)]
    assert seen["lab.jobs.supervisor"][0][1:] == ["-m", "lab.jobs.supervisor"]
    assert all("canary" not in environment for _, environment in seen.values())
    assert client.wait(run, 20).state == "failed"


def test_supervisor_and_shim_stay_light() -> None:
    code = (
        "import sys, lab.jobs.supervisor, lab.jobs.shim, lab.jobs.worker\n"
        "heavy = {'torch', 'transformers', 'pydantic', 'streamlit', 'pandas', 'numpy'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_only_one_supervisor_lives_and_a_rival_ends_within_a_second() -> None:
    ensure_supervisor()
    first = supervisor()
    started = time.monotonic()
    rival = subprocess.run([sys.executable, "-m", "lab.jobs.supervisor"], cwd=REPOSITORY, timeout=10)
    assert (rival.returncode, supervisor()) == (75, first)
    assert time.monotonic() - started < 2


def test_of_many_programs_that_start_a_supervisor_at_once_one_supervisor_remains() -> None:
    code = "from lab.runs.supervision import ensure_supervisor; ensure_supervisor()"
    programs = [subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY) for _ in range(6)]
    assert [program.wait() for program in programs] == [0] * 6
    first = supervisor()
    time.sleep(0.7)  # longer than a rival's patience
    assert supervisor() == first


def test_a_supervisor_that_cannot_start_is_an_error_and_not_an_endless_wait(lab_home: Path) -> None:
    lab_home.mkdir()
    (lab_home / "lab.db").write_bytes(b"this is no data base, but it is long enough to be taken for one" * 20)
    ensure_supervisor()
    with pytest.raises(LabError, match=r"supervisor ended with exit code 1") as caught:
        until(ensure_supervisor)
    assert "DatabaseError" in Path(caught.value.where).read_text()


def test_a_second_press_of_the_same_button_makes_no_second_run() -> None:
    first = client.submit(RunSpec(), key="press")
    assert client.submit(RunSpec(), key="press") == first
    assert [row.id for row in client.list_runs()] == [first]
    assert [path.name for path in (lock_path().parent / "runs").iterdir()] == [first]
    client.stop(first, discard=True)


def test_quick_jobs_survive_supervisors_that_are_killed_again_and_again() -> None:
    dice = random.Random(3)
    jobs = [client.submit_request("prepare", NO_FILE) for _ in range(12)]
    kills = 0
    end = time.monotonic() + 45
    while any(Store().run(job).state != "failed" for job in jobs):
        assert time.monotonic() < end, [Store().run(job) for job in jobs]
        ensure_supervisor()
        handle = supervisor().handle()
        time.sleep(dice.expovariate(4))
        if handle is not None and kills < 12:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
            kills += 1
    assert kills >= 3
    for job in jobs:
        states = [after for _, after, _ in Store().history(job)]
        assert states[0] == "queued"
        assert states.count("failed") == 1
        assert states[-1] == "failed"
    with sqlite3.connect(Store().path) as db:
        assert db.execute("pragma integrity_check").fetchone()[0] == "ok"


def test_while_the_device_is_taken_trainings_wait_and_other_jobs_do_not() -> None:
    taken = try_lock(locks_folder() / "device0.lock")
    assert taken is not None
    training = client.submit(RunSpec())
    assert client.wait(client.submit_request("prepare", NO_FILE), 20).state == "failed"
    assert client.show(training)["state"] == "queued"
    client.stop(training)
    assert client.wait(training, 20).state == "cancelled"
    assert not (RunDirectory.of(training).attempt_path(1) / "shim.json").exists()
    os.close(taken)


def test_what_cannot_be_done_is_refused_with_its_state() -> None:
    run = client.submit_request("prepare", NO_FILE)
    client.wait(run, 20)
    for act in (client.stop, client.resume, client.continue_full):
        with pytest.raises(InputError, match=run):
            act(run)
    with pytest.raises(NotFoundError):
        client.stop("01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_deleting_a_run_removes_its_files_and_its_row() -> None:
    run = client.submit_request("prepare", NO_FILE)
    path = client.wait(run, 20).directory.path
    client.delete(run)
    assert not path.exists()
    assert client.list_runs(tuple(LANE_OF)) == []
    with pytest.raises(NotFoundError):
        client.show(run)


def test_without_the_data_base_the_run_directories_tell_everything() -> None:
    jobs = [client.submit_request("prepare", NO_FILE | {"name": f"job {number}"}) for number in range(3)]
    for job in jobs:
        client.wait(job, 20)
    end_supervisor()
    before = [client.show(job) for job in jobs]
    Store().path.unlink()
    assert client.list_runs(tuple(LANE_OF)) == []
    assert reindex().added == 3
    after = [client.show(job) for job in jobs]
    for old, new in zip(before, after, strict=True):
        assert old | {"created": 0} == new | {"created": 0}
        assert abs(old["created"] - new["created"]) < 1
    assert (reindex().added, reindex().known) == (0, 3)


def test_a_disk_without_room_is_named_before_anything_changes(lab_home: Path) -> None:
    huge = {"trainable": {"parameters": 10**13}}
    with pytest.raises(LabError, match="GiB free; this needs about") as caught:
        client.submit(RunSpec(), plan=huge)
    assert str(lab_home) in caught.value.message
    assert list(lab_home.iterdir()) == []


def test_a_wait_that_takes_too_long_says_so_and_leaves_the_run_alone() -> None:
    run = client.submit_request("prepare", NO_FILE)
    with pytest.raises(LabError, match="has not ended after"):
        client.wait(run, timeout=0.0)
    assert client.wait(run, 20).state == "failed"
