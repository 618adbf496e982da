"""Whether a job may use the network: only when a person named something on the Hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.models.location import locate
from lab.runs.directory import RunDirectory
from lab.runs.home import is_id

if TYPE_CHECKING:
    from lab.spec import RunSpec

_HUB_DATA = re.compile(
    r"(?P<said>hub:)?(?P<id>(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9_][\w.-]*)(?::(?P<config>[^\s:@/]+))?"
    r"(?:@(?P<revision>[\w.][\w./-]*))?"
)
_FILES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt")


def of_spec(spec: RunSpec) -> dict[str, Any]:
    """What a training's request says about the network."""
    data = [spec.data.source, *spec.tasks.sources.values(), spec.regularisation.ewc_data]
    return _access(locate(spec.model.source).kind == "hub" or any(map(is_data_on_hub, data)))


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


@dataclass(frozen=True)
class HubData:
    """A data set of the Hub: its id, one of its configurations and a revision, empty where none is named."""

    id: str
    config: str = ""
    revision: str = ""

    def __str__(self) -> str:
        config, revision = self.config and f":{self.config}", self.revision and f"@{self.revision}"
        return f"{self.id}{config}{revision}"


def hub_data(source: str) -> HubData | None:
    """The data set that `owner/name`, `owner/name:config` or `owner/name@revision` names; None for anything else.

    After `hub:` nothing but a name of the Hub is meant, even where a file is called the same.
    """
    found = _HUB_DATA.fullmatch(source)
    if found is None:
        return None
    other = source == "demo" or "/" not in found["id"] or source.lower().endswith(_FILES)
    if not found["said"] and (other or Path(source).expanduser().exists()):
        return None
    return HubData(found["id"], found["config"] or "", found["revision"] or "")


def is_data_on_hub(source: str) -> bool:
    """Whether a data source is the name of a data set of the Hub rather than a file, a prepared data set or `demo`."""
    return hub_data(source) is not None


def _access(on_hub: bool) -> dict[str, Any]:
    # The wish of whoever hands the job in counts, not that of whoever happened to start the supervisor.
    refused = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    return {
        "online": on_hub and not refused,
        "hub_endpoint": os.environ.get("HF_ENDPOINT", "") if on_hub else "",
    }
