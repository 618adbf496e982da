"""Finding recipes: by words, and by size, hardware and purpose as far as a recipe states them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from lab.catalogue.recipes import Recipe, comparators, recipe, recipes
from lab.text import N_

COMPARATOR = "comparator"

# Codes of the properties, in the order in which a form offers them, and what they are called.
SIZES = {
    "tiny": N_("below 0.5 billion parameters"),
    "small": N_("0.5 to 3 billion parameters"),
    "medium": N_("3 to 14 billion parameters"),
    "large": N_("above 14 billion parameters"),
}
HARDWARE = {
    "cpu": N_("a CPU"),
    "one": N_("one GPU"),
    "several": N_("2 to 8 GPUs"),
    "many": N_("more than 8 GPUs"),
}
PURPOSES = {
    "demo": N_("first try"),
    "named-system": N_("known model"),
    "use-case": N_("setup for a use case"),
    "objective": N_("objective"),
    "variant": N_("variant of a run"),
    "method": N_("method"),
    "example": N_("worked example"),
    "tool": N_("training tool"),
    "context": N_("background"),
    COMPARATOR: N_("published run to compare with"),
}
_LIMITS = ((0.5e9, "tiny"), (3e9, "small"), (14e9, "medium"))
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|M)\b")
_GPUS = re.compile(r"(\d+)\s*(?:x|GPU)|(single)")


@cache
def everything() -> tuple[Recipe, ...]:
    """The recipes, then the published runs to compare with."""
    return (*recipes(), *comparators())


def find(name: str) -> Recipe:
    """The recipe or published run with this id. Raises NotFoundError."""
    return next((one for one in comparators() if one.id == name), None) or recipe(name)


def matching(words: str = "", wanted: Mapping[str, str | None] | None = None) -> Sequence[Recipe]:
    """What contains every word and has every wanted property (family, method, task, size, hardware, purpose)."""
    parts = words.casefold().split()
    filters = {name: code for name, code in (wanted or {}).items() if code}
    return [
        one
        for one in everything()
        if all(part in searchable(one.id) for part in parts)
        and all(code in properties(one.id)[name] for name, code in filters.items())
    ]


@cache
def searchable(name: str) -> str:
    """Every word by which a recipe is found: names, model, goal, data, hardware and notes."""
    one = find(name)
    stated = [stated_value(one, field) for field in ("dataset", "hardware", "examples", "params", "architecture")]
    parts = [one.id, one.name, one.base_model, one.family, one.method, one.task, one.goal, one.kind, *one.notes]
    return " ".join(str(part) for part in (*parts, *stated) if part).casefold()


@cache
def properties(name: str) -> dict[str, tuple[str, ...]]:
    """What a recipe can be found by: property -> codes; none where nothing is stated."""
    one = find(name)
    return {
        "family": (one.family,),
        "method": (one.method,),
        "task": (one.task,),
        "size": _sizes(one),
        "hardware": _hardware(one),
        "purpose": (one.kind,),
    }


def stated_value(one: Recipe, field: str) -> Any:
    """What the document, else the publication, says about a field; None when neither does."""
    for place in (one.described, one.published):
        if field in place and place[field].value is not None:
            return place[field].value
    return None


def _sizes(one: Recipe) -> tuple[str, ...]:
    """The sizes of the models that it is about: stated as a number, else in the name of the base model."""
    if "parameters" in one.facts:
        counts = [float(one.facts["parameters"].value)]
    else:
        text = one.base_model or str(stated_value(one, "params") or "")
        counts = [float(size) * (1e9 if unit == "B" else 1e6) for size, unit in _SIZE.findall(text)]
    if one.kind == "demo":
        counts = [5.8e6]
    return tuple(dict.fromkeys(_size(count) for count in counts))


def _size(count: float) -> str:
    return next((code for limit, code in _LIMITS if count <= limit), "large")


def _hardware(one: Recipe) -> tuple[str, ...]:
    """The kinds of hardware that it names; a range such as 1 to 4 GPUs is one GPU and several."""
    if one.kind == "demo":
        return ("cpu",)
    gpus = stated_value(one, "gpus")
    counts = [int(count) for count in (gpus if isinstance(gpus, list) else [gpus] if gpus else [])]
    for field in ("hardware", "repro_hardware"):
        for count, single in _GPUS.findall(str(stated_value(one, field) or "")):
            counts.append(1 if single else int(count))
    if not counts:
        return ()
    kinds = (("one", 1, 1), ("several", 2, 8), ("many", 9, 1 << 30))
    return tuple(code for code, low, high in kinds if min(counts) <= high and max(counts) >= low)
