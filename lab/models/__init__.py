"""Which models exist, what their architecture is, and whether a folder is safe to load."""

from lab.models.facts import ModelFacts, facts_of
from lab.models.location import Location, demo_folder, locate
from lab.models.presets import ModelPreset, model_preset, model_presets
from lab.models.safety import check_folder

__all__ = [
    "Location",
    "ModelFacts",
    "ModelPreset",
    "check_folder",
    "demo_folder",
    "facts_of",
    "locate",
    "model_preset",
    "model_presets",
]
