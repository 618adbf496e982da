"""Importing the ground, the front wing or the supervisor loads no training library."""

import importlib.util
import json
import pkgutil
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes", "nltk")
LIGHT = ["spec", "models", "planning", "runs", "ui", "review", "catalogue", "cli"]
LIGHT_PARTS_OF_JOBS = ["lab.jobs", "lab.jobs.supervisor", "lab.jobs.shim", "lab.jobs.standby_shim"]


def loaded_after_importing(modules: list[str], watched: tuple[str, ...]) -> list[str]:
    """Which of the watched libraries a fresh process has loaded after importing these modules."""
    code = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(json.dumps([name for name in {watched!r} if name in sys.modules]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def modules_of(package: str) -> list[str]:
    """A package of the lab and everything in it; a `__main__` would run, so it is left out."""
    spec = importlib.util.find_spec(f"lab.{package}")
    assert spec is not None, f"lab.{package} does not exist"
    inside = pkgutil.walk_packages(spec.submodule_search_locations or [], f"lab.{package}.")
    return [f"lab.{package}", *(m.name for m in inside if not m.name.endswith("__main__"))]


@pytest.mark.parametrize("package", LIGHT)
def test_every_module_of_a_light_package_stays_light(package):
    assert loaded_after_importing(modules_of(package), HEAVY) == []


def test_supervisor_and_shim_stay_light():
    assert loaded_after_importing(LIGHT_PARTS_OF_JOBS, (*HEAVY, "streamlit", "pandas", "altair")) == []


def test_the_command_line_starts_without_streamlit():
    assert loaded_after_importing(modules_of("cli"), ("streamlit", "altair")) == []
