"""What is known of the windows that the passages of a run are read in: their number, or the lengths of the rows."""

from __future__ import annotations

from typing import Any

from lab.json_io import read_json
from lab.runs import registry, rehearsal
from lab.runs.home import is_id
from lab.spec import RunSpec


def windows_of(spec: RunSpec) -> int | dict[str, Any] | None:
    """The windows of the training rows of `extractive-qa`, as the rehearsal of this very run counted them.

    Else what lengths.json says of a prepared data set that was measured with the tokenizer of this model, with `share`,
    the training rows of all that were measured. None where nothing is known. Raises NotFoundError.
    """
    if spec.task != "extractive-qa":
        return None
    counted = rehearsal.windows(spec)
    if counted is not None or not is_id(spec.data.source):
        return counted
    record = registry.dataset(spec.data.source)
    measured = read_json(registry.dataset_path(spec.data.source) / "lengths.json") or {}
    if measured.get("model") != spec.model.source or "question" not in measured:
        return None
    return measured | {"share": record["rows"]["train"] / max(1, sum(measured["counts"]))}
