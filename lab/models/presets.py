"""The models that the lab knows by a short name: presets/models/*.yaml, read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from lab.errors import NotFoundError
from lab.presets import presets_dir, read_yaml
from lab.text import N_


@dataclass(frozen=True)
class ModelPreset:
    """One published model: where it lives, its licence, the config values that shape it, its size."""

    id: str
    name: str
    hub: str
    licence: str
    config: dict[str, Any]
    parameters: int
    source: str
    pretraining_learning_rate: float | None = None
    pretraining_source: str = ""


@cache
def model_presets() -> dict[str, ModelPreset]:
    """Every model preset by its id, smallest first."""
    found = [_read(path.read_text(encoding="utf-8")) for path in sorted((presets_dir() / "models").glob("*.yaml"))]
    return {preset.id: preset for preset in sorted(found, key=lambda preset: preset.parameters)}


def model_preset(name: str) -> ModelPreset:
    """The preset with this id or Hub id. Raises NotFoundError."""
    found = find_preset(name)
    if found is None:
        raise NotFoundError(N_("There is no model preset called {name}."), where="model.source", name=name)
    return found


def find_preset(name: str) -> ModelPreset | None:
    """The preset with this id or Hub id, in whatever case; None when there is none."""
    wanted = name.lower()
    for preset in model_presets().values():
        if wanted in (preset.id, preset.hub.lower()):
            return preset
    return None


def _read(text: str) -> ModelPreset:
    values = read_yaml(text)
    return ModelPreset(**values)
