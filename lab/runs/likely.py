"""Saying that a run is likely, so that the supervisor may keep a worker ready for it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.runs import network
from lab.runs.home import lab_home
from lab.runs.store import Store
from lab.runs.supervision import ensure_supervisor, wake

if TYPE_CHECKING:
    from lab.spec import RunSpec

AGAIN_S = 30.0  # a page says it with every click; the supervisor need not hear it each time

_said: dict[Path, tuple[dict[str, Any], float]] = {}  # by LAB_HOME: what this process said last, and when


def needs(spec: RunSpec) -> dict[str, Any]:
    """What a request says of the process that its worker has to be: its environment, and how it may be started."""
    return {"threads": spec.resources.threads, "standby": spec.speed.standby} | network.of_spec(spec)


def expect(spec: RunSpec) -> None:
    """Tell the supervisor that a run of this spec is likely. Raises LabError when no supervisor can be started.

    LAB_STANDBY=off keeps every process that sees it from saying so.
    """
    if not spec.speed.standby or os.environ.get("LAB_STANDBY", "").lower() in ("off", "0", "no"):
        return
    request, home = needs(spec), lab_home()
    said, at = _said.get(home, ({}, 0.0))
    if said == request and time.monotonic() - at < AGAIN_S:
        return
    Store().expect(request)
    wake()
    ensure_supervisor()
    _said[home] = (request, time.monotonic())
