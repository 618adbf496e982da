"""The repository names no machine and no package index, and holds nothing large by accident."""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# Put together here, so that this file does not hold them itself.
FORBIDDEN = ["/" + "work/", "/" + "root/", "pypi" + ".org", "pythonhosted" + ".org", "shared" + "/"]
QUOTED_TEXT = "presets/demo/"  # the documentation of Python's standard library, word for word
LARGEST = 12 * 2**20  # bytes; the embedded model is the largest file


def repository_files() -> list[Path]:
    """What git tracks, and what it would track next."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if answer.returncode != 0:
        pytest.skip("not a git checkout")
    paths = (REPOSITORY / name for name in answer.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def lines_with(path: Path, word: str) -> list[str]:
    """Where a text file holds a word, as file:line; a binary file holds none."""
    content = path.read_bytes()
    if b"\0" in content[:8192] or word.encode() not in content:
        return []
    name = path.relative_to(REPOSITORY)
    return [f"{name}:{n}" for n, line in enumerate(content.splitlines(), 1) if word.encode() in line]


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_file_names_a_machine_or_a_package_index(word):
    files = [path for path in repository_files() if QUOTED_TEXT not in path.as_posix()]
    assert [where for path in files for where in lines_with(path, word)] == []


def test_no_file_is_larger_than_the_embedded_model_may_be():
    assert [str(path) for path in repository_files() if path.stat().st_size > LARGEST] == []


def test_weights_are_safetensors_only():
    unsafe = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
    assert [str(path) for path in repository_files() if path.suffix in unsafe] == []
