"""Every broken file gets its verdict, its line and a sentence with a way out; hostile ones reach nothing else."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from broken_files import (
    BROKEN,
    Broken,
    with_image_feature,
    with_image_struct,
    with_pandas_index,
    with_pickled_type,
)

from lab.data.survey import survey
from lab.errors import InputError

REPOSITORY = Path(__file__).parents[2]
LISTEN = """
import io, json, sys
heard = []
def hear(event, args):
    if event == "open" or event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix", "pickle")):
        heard.append([event, str(args[0]) if args else ""])
sys.stdin = io.StringIO({request!r})
sys.addaudithook(hear)
from lab.data import child
child.main()
sys.stderr.write(json.dumps(heard))
"""
IN_OPEN = 0x20


@pytest.mark.parametrize("case", BROKEN, ids=[case.name for case in BROKEN])
def test_a_broken_file_gets_its_verdict_with_line_and_sentence(tmp_path: Path, case: Broken):
    path = tmp_path / case.name
    path.write_bytes(case.bytes())
    if case.verdict == "refuses":
        with pytest.raises(InputError) as refusal:
            survey(path)
        assert case.sentence in refusal.value.message
        assert refusal.value.where == (f"{case.name}:{case.line}" if case.line else case.name)
        assert refusal.value.next
        return
    found = survey(path)
    told = [problem.as_dict() for problem in found.table.problems]
    if case.verdict == "reads":
        assert (told, found.found is not None) == ([], True)
    else:
        assert case.line in [problem["line"] for problem in told if case.sentence in problem["what"]]


@pytest.fixture
def decoy(tmp_path: Path) -> Path:
    folder = tmp_path / "decoy"
    folder.mkdir()
    (folder / "secret.png").write_bytes(b"not for you")
    return folder / "secret.png"


@pytest.mark.parametrize(
    ("make", "verdict"),
    [
        (with_image_feature, "rows"),
        (with_image_struct, "error"),
        (lambda path: with_pickled_type(f"touch {path}.pwned"), "error"),
        (lambda path: with_pandas_index(), "rows"),
    ],
    ids=["image feature", "image struct", "pickled type", "pandas index"],
)
def test_a_hostile_parquet_opens_no_other_file_and_no_socket(
    tmp_path: Path, decoy: Path, make: Callable[[str], bytes], verdict: str
):
    path = tmp_path / "hostile.parquet"
    path.write_bytes(make(str(decoy)))
    watch = Watch(decoy.parent)
    answer, heard = overheard({"do": "inspect", "path": str(path)})
    assert verdict in answer
    if verdict == "rows":
        assert (answer["kind"], answer["rows"]) == ("text", 1)
    opened = [name for event, name in heard if event == "open"]
    libraries = (sys.prefix, sys.base_prefix, str(REPOSITORY / "lab"))
    assert {name for name in opened if not name.startswith(libraries)} <= {str(path), *SYSTEM}
    assert str(path) in opened, "the hook hears what is opened"
    assert [event for event, _ in heard if event != "open"] == []
    assert not watch.touched(), "nor does compiled code open it"
    assert [file.name for file in decoy.parent.iterdir()] == ["secret.png"]


def test_the_watch_and_the_hook_would_notice(tmp_path: Path, decoy: Path):
    watch = Watch(decoy.parent)
    path = tmp_path / "a.csv"
    path.symlink_to(decoy)
    answer, heard = overheard({"do": "inspect", "path": str(path)})
    assert "error" in answer
    assert ["open", str(path)] in heard
    assert watch.touched()


SYSTEM = ("None", "/proc/self/maps", "/proc/cpuinfo")  # which interpreter and libraries look at by themselves


def overheard(request: dict[str, str]) -> tuple[dict[str, object], list[list[str]]]:
    """The child's answer to a request, and what an audit hook heard meanwhile."""
    script = LISTEN.format(request=json.dumps(request))
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, env=os.environ, check=True
    )
    return json.loads(done.stdout), json.loads(done.stderr)


class Watch:
    """The kernel's own record of what is opened in a folder (inotify), whoever opens it."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_OPEN) >= 0

    def touched(self) -> bool:
        """Whether anything was opened since."""
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False
        finally:
            os.close(self._descriptor)
