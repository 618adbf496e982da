"""What pages and the command line do with runs: hand one in, stop it, resume it, wait for it.

Nothing here moves a run from state to state; that is the supervisor's. A client inserts a run or leaves an
intent and wakes the supervisor.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

from lab.errors import InputError, LabError
from lab.runs import chain, disk, likely, naming, network, prepare
from lab.runs.base import check_base
from lab.runs.directory import RunDirectory
from lab.runs.events import tail_events
from lab.runs.home import is_id, lab_home, no_such_run, runs_folder
from lab.runs.secret import offer_secret
from lab.runs.states import ENDED, INTERRUPTED
from lab.runs.store import RunRow, Store
from lab.runs.supervision import ensure_supervisor, wake
from lab.runs.view import RunView, read_run
from lab.spec import RunSpec
from lab.text import N_

__all__ = [
    "continue_full",
    "delete",
    "ensure_supervisor",
    "list_runs",
    "resume",
    "show",
    "stop",
    "submit",
    "submit_request",
    "wait",
]

LOOK_S = 0.05  # how often a waiting program looks for new events
CHECK_S = 0.25  # how often it asks for the state, and sees to it that a supervisor lives


def submit(spec: RunSpec, *, short: bool = False, plan: dict[str, Any] | None = None, key: str | None = None) -> str:
    """Queue a training and return its id.

    A `short` run ends after `schedule.short_steps` steps. With the `key` of an earlier call nothing new is
    made and that call's id comes back. Raises LabError when the disk has no room for what the plan foresees.
    """
    disk.require_room(lab_home(), disk.needed_bytes(spec, plan or {}))
    spec, parent = chain.resolved(spec)
    spec = prepare.rooted(spec)
    name = spec.name or naming.default_name(spec, {row.name for row in list_runs()})
    request = {
        "kind": "train",
        "name": name,
        "until_step": spec.schedule.short_steps if short else None,
        "parent": parent,
    }
    return _queue(prepare.new_run(request | likely.needs(spec), spec=spec, plan=plan), name=name, key=key)


def submit_request(
    kind: str,
    parameters: dict[str, Any],
    *,
    parent: str | None = None,
    key: str | None = None,
    secret: str | None = None,
    spec: RunSpec | None = None,
) -> str:
    """Queue a job of another kind (prepare, evaluate, generate, publish, find-lr) and return its id.

    `secret` is kept in this process until the worker fetches it: this process has to live until then. `spec` is the
    one of a job that works on a training's setup.
    """
    disk.require_room(lab_home(), disk.SPARE)
    spec = prepare.rooted(chain.resolved(spec)[0]) if spec else None
    name = naming.name_of_request(parameters, _name_of(parent)) or (naming.default_name(spec) if spec else "")
    request = {
        "kind": kind,
        "name": name,
        "parameters": parameters,
        "parent": parent,
    }
    needs = likely.needs(spec) if spec else network.of_request(kind, parameters)
    directory = prepare.new_run(request | needs, spec=spec)
    if secret is not None:
        offer_secret(directory.id, secret)
    return _queue(directory, name=name, key=key)


def stop(run_id: str, *, discard: bool = False) -> None:
    """Ask a run to stop at its next step and keep a checkpoint; with `discard`, to end for good."""
    row = Store().run(run_id)
    if row.state in ENDED and not (discard and row.state == INTERRUPTED):
        raise InputError(N_("Run {run} is not running: it is {state}."), where="run", run=run_id, state=row.state)
    _ask(run_id, "discard" if discard else "stop")


def resume(run_id: str) -> None:
    """Let an interrupted run go on from its newest checkpoint. Raises LabError when its base has changed."""
    row = Store().run(run_id)
    if row.state != INTERRUPTED:
        raise InputError(
            N_("Run {run} cannot be resumed: it is {state}."),
            where="run",
            allowed=N_("Only a run that was interrupted can be resumed."),
            run=run_id,
            state=row.state,
        )
    check_base(RunDirectory.of(run_id))  # here, where nothing is lost yet: a run that fails has ended for good
    disk.require_room(lab_home(), disk.SPARE)
    _ask(run_id, "resume")


def continue_full(run_id: str, *, key: str | None = None) -> str:
    """Queue the full run that a short run was the beginning of, and return its (new) id.

    It starts from the short run's last checkpoint and carries its curves on. Raises LabError when its base
    model has changed.
    """
    row, parent = Store().run(run_id), RunDirectory.of(run_id)
    if not (row.short and row.state == "succeeded"):
        raise InputError(
            N_("Run {run} is no short run that has ended well, so there is nothing to continue."),
            where="run",
            run=run_id,
        )
    check_base(parent)
    disk.require_room(lab_home(), disk.needed_bytes(parent.spec, parent.plan))
    directory = prepare.continuation(parent, after_attempt=row.attempt)
    return _queue(directory, name=row.name, key=key)


def delete(run_id: str) -> None:
    """Remove a run that has ended, with everything that it made."""
    row = Store().run(run_id)
    if not Store().delete(run_id):
        raise InputError(
            N_("Run {run} cannot be deleted: it is {state}."),
            where="run",
            next=N_("Stop it first."),
            run=run_id,
            state=row.state,
        )
    # Out of sight in one step; a crash while removing leaves nothing that looks like a run.
    trash = lab_home() / ".trash"
    trash.mkdir(mode=0o700, exist_ok=True)
    (runs_folder() / run_id).rename(trash / run_id)
    shutil.rmtree(trash / run_id)


def wait(
    run_id: str, timeout: float | None = None, on_event: Callable[[dict[str, Any]], None] | None = None
) -> RunView:
    """Wait until a run has ended or is interrupted, and return it as it is then.

    `on_event` gets each event of the run, from its first. Raises LabError after `timeout` seconds.
    """
    store, path, offset = Store(), RunDirectory.of(run_id).events_path, 0
    started, checked = time.monotonic(), 0.0
    while True:
        over = False
        if time.monotonic() - checked >= CHECK_S:
            checked = time.monotonic()
            ensure_supervisor()  # should it have been killed, the next one adopts the run
            over = _is_over(store, run_id)
        events, offset = tail_events(path, offset)  # after the question, so that the last events are not missed
        for event in events if on_event else []:
            on_event(event)  # type: ignore[misc]  # narrowed by the line above
        if over:
            return read_run(run_id)
        if timeout is not None and time.monotonic() - started > timeout:
            raise LabError(N_("Run {run} has not ended after {seconds:g} s."), run=run_id, seconds=timeout)
        time.sleep(LOOK_S)


def list_runs(kinds: Sequence[str] = ("train",), limit: int = 1000) -> list[RunRow]:
    """The runs of these kinds, newest first."""
    return Store().runs(kinds=kinds, limit=limit)


def show(run_id: str) -> dict[str, Any]:
    """A run as `runs show --json` prints it."""
    view = read_run(run_id)
    progress, spec = view.progress, view.spec
    return {
        "run": view.run,
        "kind": view.row.kind,
        "name": view.row.name or (naming.default_name(spec) if spec else ""),
        "state": view.state,
        "phase": view.phase,
        "step": progress.get("step"),
        "steps": progress.get("steps") or view.goal,
        "progress": progress.get("done", 0.0),
        "eta_s": None if view.ended else progress.get("eta_s"),
        "attempt": view.row.attempt,
        "parent": view.row.parent,
        "created": view.row.created,
        "directory": str(view.directory.path),
        "metrics": view.latest,
        "reason": view.reason,
        "error": view.error if view.state == "failed" else None,
        "spec": spec.model_dump(mode="json") if spec else None,
        "result": view.result,
    }


def _name_of(run_id: str | None) -> str:
    row = Store().find(run_id) if run_id else None
    return row.name if row else ""


def _queue(directory: RunDirectory, *, name: str, key: str | None) -> str:
    request = directory.request
    run_id = Store().insert(
        directory.id,
        request["kind"],
        name=name,
        short=request.get("until_step") is not None,
        parent=request.get("parent"),
        attempt=request.get("after_attempt", 0),
        key=key,
    )
    if run_id != directory.id:  # the key was used before: this was the second press of the same button
        shutil.rmtree(directory.path)
    wake()
    ensure_supervisor()
    return run_id


def _ask(run_id: str, kind: str) -> None:
    if not is_id(run_id):
        raise no_such_run(run_id)
    Store().ask(run_id, kind)
    wake()
    ensure_supervisor()


def _is_over(store: Store, run_id: str) -> bool:
    # The intent first: a run that is to be resumed is still called interrupted until the supervisor has seen
    # to it.
    return not store.has_intent(run_id) and store.run(run_id).state in ENDED
