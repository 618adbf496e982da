"""A token is handed over once, and is nowhere else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.runs.home import new_id
from lab.runs.secret import fetch_secret, offer_secret

TOKEN = "hf_" + "canary" * 6
FETCH = "import sys; from lab.runs.secret import fetch_secret; sys.stdout.write(fetch_secret(sys.argv[1]))"


def test_another_process_gets_the_token_and_only_once() -> None:
    run = new_id()
    offer_secret(run, TOKEN)
    command = [sys.executable, "-c", FETCH, run]
    fetched = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert fetched.stdout == TOKEN, fetched.stderr
    with pytest.raises(LabError, match="no longer there"):
        fetch_secret(run)


def test_the_token_is_in_no_file_no_argument_and_no_environment(lab_home: Path) -> None:
    run = new_id()
    offer_secret(run, TOKEN)
    sockets = list((lab_home / "secrets").iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in sockets] == [0o600]
    assert all(TOKEN not in path.read_text() for path in lab_home.rglob("*") if path.is_file())
    for name in ("cmdline", "environ"):
        assert TOKEN.encode() not in Path(f"/proc/{os.getpid()}/{name}").read_bytes()
    assert fetch_secret(run) == TOKEN
    until = time.monotonic() + 5
    while any((lab_home / "secrets").iterdir()) and time.monotonic() < until:
        time.sleep(0.01)
    assert list((lab_home / "secrets").iterdir()) == []


def test_a_home_with_a_long_path_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / ("long-" * 20) / ("path-" * 20)
    home.mkdir(parents=True)
    monkeypatch.setenv("LAB_HOME", str(home))
    run = new_id()
    offer_secret(run, TOKEN)
    assert fetch_secret(run) == TOKEN


def test_what_is_no_run_has_no_secret() -> None:
    with pytest.raises(LabError, match="There is no run"):
        fetch_secret("../../etc/passwd")
