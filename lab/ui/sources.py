"""The models and data sets that a form offers, and what they are called."""

from __future__ import annotations

from lab.errors import LabError
from lab.models import model_presets
from lab.runs import registry
from lab.runs.home import is_id
from lab.ui import draft
from lab.ui.language import _
from lab.ui.run_list import short_source

SMALL_MODEL = 2_000_000_000  # parameters; what a single consumer GPU tunes


def models() -> list[str]:
    """The demo, the folders in the lab's home, and the small models of the Hub that the lab knows by name."""
    recipes_own = str(draft.reference("model.source"))
    local = [str(path) for path in registry.local_models()]
    known = [preset.hub for preset in model_presets().values() if preset.parameters <= SMALL_MODEL]
    return list(dict.fromkeys(["demo", *([recipes_own] if recipes_own else []), *local, *known]))


def model_name(source: str) -> str:
    """A model in the list: the demo in words, a folder by its name, a Hub id as it is."""
    if source == "demo":
        return _("demo: small, comes with the lab")
    return _("{name} (this machine)", name=short_source(source)) if source.startswith("/") else source


def data_sets() -> list[str]:
    """The demo set, the prepared sets, and what the recipe names."""
    recipes_own = str(draft.reference("data.source"))
    prepared = [str(record["id"]) for record in registry.datasets()]
    return list(dict.fromkeys(["demo", *prepared, *([recipes_own] if recipes_own else [])]))


def data_name(source: str) -> str:
    """A data set in the list: the demo in words, a prepared set by its name."""
    if source == "demo":
        return _("demo: questions about Python's modules")
    if not is_id(source):
        return source
    try:
        return _("{name} (prepared)", name=registry.dataset(source).get("name") or source)
    except LabError:
        return source
