"""The run directory: files that are old or new, checkpoints that are sealed, logs of all attempts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.json_io import read_json, write_json
from lab.runs.directory import RunDirectory


def test_when_the_disk_is_full_the_old_file_stays_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"old": True})
    code = (
        "import resource, sys; from lab.json_io import write_json\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "write_json(sys.argv[1], {'new': 'x' * 100_000})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2], capture_output=True
    )
    assert done.returncode == 1
    assert b"File too large" in done.stderr
    assert read_json(path) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_number_that_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_only_sealed_checkpoints_count_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for name, sealed in (
        ("checkpoint-20", True),
        ("checkpoint-100", True),
        ("checkpoint-110", False),
        ("tmp-7", True),
    ):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        if sealed:
            (tmp_path / "checkpoints" / name / "COMPLETE.json").write_text(json.dumps({}))
    assert [checkpoint.step for checkpoint in RunDirectory(tmp_path).sealed_checkpoints()] == [20, 100]


def test_the_log_is_that_of_all_attempts_in_their_order(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for attempt, text in ((1, "one\ntorn"), (2, "two\n"), (10, "ten \udc80\xff")):
        run.attempt_path(attempt).mkdir(parents=True)
        (run.attempt_path(attempt) / "log.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert run.attempts() == [1, 2, 10]
    assert run.log_text().splitlines()[:4] == ["one", "torn", "two", "ten \ufffdÿ"]
    assert run.log_text(tail=2).splitlines()[0] == "two"
