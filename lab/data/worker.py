"""The body of a job of the kind `prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.data.options import Options
from lab.data.prepare import prepare_dataset
from lab.data.progress import Stopped
from lab.errors import InputError
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.stopping import StopFlag
from lab.text import N_


def run(directory: RunDirectory, events: EventWriter, stop: StopFlag, attempt: int) -> dict[str, Any]:
    """Prepare what the request names ("path", "hub", or "demo": true) and return the report as the job's result.

    Raises InputError for a file or settings that cannot be used.
    """
    request = directory.parameters
    if not any(request.get(source) for source in ("path", "hub", "demo")):
        raise InputError(N_("The request names no file to prepare."), where="path")
    path = Path(request["path"]).expanduser() if request.get("path") else None
    name, hub = str(request.get("name") or ""), str(request.get("hub") or "")
    try:
        told = prepare_dataset(
            path, Options.of_request(request), events, name=name, hub=hub, stop=lambda: stop.requested
        )
    except Stopped:
        return {"ended": "stopped"}
    return {"ended": "finished"} | told
