"""Pages are scripts that ask and draw: no class, no training library, nothing of the work wing."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = [REPOSITORY / "app.py", *sorted((REPOSITORY / "pages").glob("*.py"))]
PAGES = SCRIPTS[1:]
WORK_WING = {"data", "training", "evaluation", "publishing", "serving", "jobs"}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes"}


def imported(script: Path) -> set[str]:
    """The full names of the modules that a script imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_imports_neither_work_wing_nor_training_library(script):
    parts = [name.split(".") for name in imported(script)]
    assert not [p for p in parts if p[0] in HEAVY or (p[0] == "lab" and p[1] in WORK_WING)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_defines_no_class(page):
    tree = ast.parse(page.read_text(encoding="utf-8"))
    assert not [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
