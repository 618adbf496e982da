"""Whether a job may use the network: only when a person named something on the Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.models.location import locate
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id

if TYPE_CHECKING:
    from lab.spec import RunSpec

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_FILES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt")


def of_spec(spec: RunSpec) -> dict[str, Any]:
    """What a training's request says about the network."""
    on_hub = locate(spec.model.source).kind == "hub" or is_data_on_hub(spec.data.source)
    return _access(on_hub)


def of_request(kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What the request of another kind says: publishing needs the Hub, others as what they name."""
    model, run = parameters.get("model"), parameters.get("run")
    if kind == "publish":
        return {"online": True, "hub_endpoint": os.environ.get("HF_ENDPOINT", "")}
    if isinstance(model, str) and model:
        return _access(locate(model).kind == "hub" or bool(parameters.get("hub")))
    if isinstance(run, str) and is_id(run):
        return _access(bool(RunDirectory.of(run).request.get("online")))
    return _access(False)


def is_data_on_hub(source: str) -> bool:
    """Whether a data source is the Hub id of a data set rather than a file, a prepared data set or `demo`."""
    if source == "demo" or is_id(source) or Path(source).expanduser().exists():
        return False
    return bool(_HUB_ID.fullmatch(source)) and not source.lower().endswith(_FILES)


def _access(on_hub: bool) -> dict[str, Any]:
    # The wish of whoever hands the job in counts, not that of whoever happened to start the supervisor.
    refused = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    return {
        "online": on_hub and not refused,
        "hub_endpoint": os.environ.get("HF_ENDPOINT", "") if on_hub else "",
    }
