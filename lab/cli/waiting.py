"""Waiting for a run with its progress on the terminal, and what to say when it did not end well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.cli.output import Output
from lab.cli.progress import Progress
from lab.errors import InputError, LabError, from_dict
from lab.text import N_

if TYPE_CHECKING:
    from lab.runs.view import RunView


def wait_for(run: str) -> RunView:
    """Wait until the run has ended or is interrupted."""
    from lab.runs import client
    from lab.runs.view import read_run

    progress = Progress()
    before = read_run(run).waits_for
    progress.begin(run, f"{before.id} {before.name}".strip() if before else "")
    try:
        return client.wait(run, on_event=progress)
    finally:
        progress.close()


def failure_of(view: RunView, output: Output, **more: Any) -> int:
    """Print why a run did not succeed and return the exit code: 2 for wrong input, else 1."""
    error = error_of(view)
    record = {"run": view.run, "state": view.state, **more, "error": error.as_dict()}
    output.answer(record)
    output.note(f"Error: {error}")
    return error.exit_code if isinstance(error, InputError) else LabError.exit_code


def error_of(view: RunView) -> LabError:
    """Why a run did not succeed, as an error."""
    if view.state == "failed" and view.error:
        return from_dict(view.error)
    if view.reason:
        return LabError(str(view.reason["template"]), next=_next(view), **view.reason["values"])
    return LabError(N_("Run {run} is {state}."), next=_next(view), run=view.run, state=view.state)


def _next(view: RunView) -> str:
    return f"python -m lab runs resume {view.run}" if view.state == "interrupted" else ""
