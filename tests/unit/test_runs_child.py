"""Throw-away processes: their answers, their errors, and how they may die without hurting anybody."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from lab.errors import InputError, LabError
from lab.runs.child import ask
from lab.runs.how_far import share_read
from lab.text import N_

MODULES = {
    "child_hangs": "import time\ntime.sleep(60)",
    "child_crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
    "child_eats": "x = bytearray(8 * 2**30)",
    "child_writes": "open('leftover', 'wb').write(b'x' * 10)",
    "child_reads": (
        "import json, os, sys, time\npath = json.load(sys.stdin)['path']\nfile = open(path, 'rb', buffering=0)\n"
        "file.read(os.stat(path).st_size // 4)\ntime.sleep(0.5)\nfile.read()\ntime.sleep(0.5)\nprint('{}')"
    ),
    "child_tells": "import os, json\nprint(json.dumps(dict(os.environ)))",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_the_answer_is_the_object_that_the_child_prints() -> None:
    assert ask("json.tool", {"a": ["é", 1]}) == {"a": ["é", 1]}


def test_an_error_of_the_child_is_raised_here_with_its_template_and_values() -> None:
    told = InputError(N_("Line {line} is wrong."), where="x.csv:7", line=7)
    with pytest.raises(InputError) as caught:
        ask("json.tool", {"error": told.as_dict()})
    assert (caught.value.message, caught.value.where, caught.value.values) == (
        "Line 7 is wrong.",
        "x.csv:7",
        {"line": 7},
    )


def test_a_child_that_hangs_is_ended_in_time() -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match="took longer than"):
        ask("child_hangs", {}, timeout_s=0.5)
    assert time.monotonic() - started < 5


def test_a_child_that_crashes_is_a_file_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match="could not be read safely"):
        ask("child_crashes", {})


@pytest.mark.parametrize("module", ["child_eats", "child_writes", "no_such_module"])
def test_a_child_that_goes_beyond_its_limits_gives_no_answer(module: str, lab_home: Path) -> None:
    with pytest.raises(LabError, match="gave no answer"):
        ask(module, {})
    assert all(path.stat().st_size == 0 for path in lab_home.rglob("leftover"))


def test_a_child_sees_no_token_and_imports_nothing_from_where_it_runs(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_home.mkdir()
    (lab_home / "json.py").write_text("raise SystemExit('hijacked')")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "STREAMLIT_X"):
        monkeypatch.setenv(name, "canary")
    seen = ask("child_tells", {})
    assert "canary" not in seen.values()
    assert (seen["LAB_HOME"], seen["HF_HUB_OFFLINE"]) == (str(lab_home), "1")
    assert os.environ["PATH"] == seen["PATH"]


def test_who_asks_can_stop_and_the_process_is_gone() -> None:
    seen: list[int] = []
    before = set(psutil.Process().children())

    def go_on() -> None:
        seen.append(1)
        if len(seen) > 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        ask("child_hangs", {}, go_on=go_on)
    assert set(psutil.Process().children()) <= before


def test_how_far_a_child_is_in_its_file_is_told_while_it_reads(tmp_path: Path) -> None:
    path, seen = tmp_path / "file.bin", list[float | None]()
    path.write_bytes(bytes(4000))
    assert ask("child_reads", {"path": str(path)}, how_far=seen.append) == {}
    shares = [share for share in seen if share is not None]
    assert shares == sorted(shares) and {0.25, 1.0} <= set(shares)
    assert share_read(os.getpid(), str(path)) is None  # nobody here has it open
