"""The requirements files pin everything, and are what `make lock` would write."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lab

REPOSITORY = Path(__file__).parents[2]
FILES = ["requirements.txt", "requirements-dev.txt"]
PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+( ; .+?)?( +# .+)?")


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned(name):
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert [line for line in requirements if not PIN.fullmatch(line)] == []


def test_torch_is_pinned_without_a_build():
    assert "torch==2.13.0" in (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").split()


def test_what_the_pins_bring_in_is_pinned_too():
    command = [sys.executable, "tools/lock.py", "--check", *FILES]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_version_is_told_once():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == lab.__version__
