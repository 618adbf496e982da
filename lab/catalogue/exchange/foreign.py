"""The field names of other tools' released packages: presets/foreign_fields/*.txt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from lab.presets import presets_dir


@dataclass(frozen=True)
class Foreign:
    """One tool: its id, its name and version as it was released, and every name that its YAML may have."""

    id: str
    name: str
    release: str
    fields: frozenset[str]


NAMES = {"trl": "TRL", "axolotl": "Axolotl", "llamafactory": "LLaMA-Factory"}


@cache
def foreign(tool: str) -> Foreign:
    """The fields of trl, axolotl or llamafactory. The first line of the file names the package and its version."""
    text = (presets_dir() / "foreign_fields" / f"{tool}.txt").read_text(encoding="utf-8")
    first, *names = text.splitlines()
    return Foreign(tool, NAMES[tool], first.removeprefix("# ").partition(":")[0], frozenset(filter(None, names)))
