"""Whether a job may use the network: only when a person named something on the Hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.runs.directory import RunDirectory
from lab.runs.home import is_id

if TYPE_CHECKING:
    from lab.spec import RunSpec

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_FILES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt")


def spec_needs_hub(spec: RunSpec) -> bool:
    """Whether the model or the data of a training come from the Hub."""
    return _model_on_hub(spec.model.source) or _data_on_hub(spec.data.source)


def request_needs_hub(kind: str, parameters: dict[str, Any]) -> bool:
    """Whether a job of another kind needs the Hub: publishing always, others as what they name."""
    if kind == "publish":
        return True
    model = parameters.get("model")
    if isinstance(model, str) and model:
        return _model_on_hub(model)
    run = parameters.get("run")
    return isinstance(run, str) and is_id(run) and bool(RunDirectory.of(run).request.get("online"))


def _model_on_hub(source: str) -> bool:
    from lab.models.location import locate

    return bool(locate(source).kind == "hub")


def _data_on_hub(source: str) -> bool:
    if source == "demo" or is_id(source) or Path(source).expanduser().exists():
        return False
    return bool(_HUB_ID.fullmatch(source)) and not source.endswith(_FILES)
