"""Where the presets lie that come with the lab: recipes, models, templates and the embedded demo."""

from __future__ import annotations

from pathlib import Path


def presets_dir() -> Path:
    """The folder `presets/` of this copy of the lab."""
    return Path(__file__).resolve().parent.parent / "presets"
