"""How many packs a prepared data set fills, from what its preparation counted."""

from __future__ import annotations

from lab.json_io import read_json
from lab.runs import registry
from lab.runs.home import is_id
from lab.spec import RunSpec


def packs_of(spec: RunSpec) -> int | None:
    """The sequences of `data.max_length` tokens that the training rows of the spec's data set fill when packed.

    None where they were not counted: no prepared data set, or one for another model, length or way to cut. Raises
    NotFoundError.
    """
    if not is_id(spec.data.source):
        return None
    options = registry.dataset(spec.data.source).get("options") or {}
    wanted = {"model": spec.model.source, "max_length": spec.data.max_length, "too_long": spec.data.too_long}
    figures = read_json(registry.dataset_path(spec.data.source) / "figures.json") or {}
    tokens = figures.get("tokens")
    if not tokens or any(options.get(name) != value for name, value in wanted.items()):
        return None
    return int(tokens["total"] + tokens["padded_packed"]) // spec.data.max_length
