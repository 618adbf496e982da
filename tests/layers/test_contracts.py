"""The import contracts in pyproject.toml speak of every part of the lab; a new part cannot slip past them."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def parts_of_the_lab() -> set[str]:
    """The modules and packages directly in lab/."""
    parts = {path.parent.name for path in REPOSITORY.glob("lab/*/__init__.py")}
    parts |= {path.stem for path in REPOSITORY.glob("lab/*.py") if not path.stem.startswith("__")}
    return {f"lab.{part}" for part in parts}


def test_every_part_of_the_lab_has_its_place():
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["name"]: contract for contract in config["tool"]["importlinter"]["contracts"]}
    placed = {"lab.ui", *contracts["Only lab.ui imports Streamlit"]["source_modules"]}
    assert parts_of_the_lab() == placed
