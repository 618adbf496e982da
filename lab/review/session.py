"""Free questions to both models of a run: a worker keeps them loaded while somebody asks.

Questions and answers are files in the worker's run directory (`inbox/NAME.json`, `outbox/NAME.json`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.errors import LabError, from_dict
from lab.json_io import read_json, write_json
from lab.runs import client
from lab.runs.directory import RunDirectory
from lab.runs.home import new_id
from lab.runs.states import ENDED, STOPPING
from lab.runs.store import RunRow
from lab.runs.view import read_run
from lab.text import N_

LOOK_S = 0.03
CHECK_S = 0.5  # how often the worker is looked after
PATIENCE_S = 600.0  # loading a large model from a slow disk takes minutes


def ask_models(
    run_id: str,
    prompt: str,
    *,
    which: Sequence[str] = ("base", "tuned"),
    max_new_tokens: int | None = None,
    temperature: float = 0.0,
    seed: int | None = None,
    timeout_s: float = PATIENCE_S,
) -> list[dict[str, Any]]:
    """What the models of a run answer: [{"prompt", "model", "text", "stopped", "seconds"}], base first.

    The first question opens a session, which takes as long as loading the models; later ones are answered
    at once. Both models answer with the same seed. Raises LabError when there is no answer, InputError for
    what cannot be asked, NotFoundError when the run has no finished model.
    """
    question = {
        "prompt": prompt,
        "which": list(which),
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "seed": seed,
    }
    end = time.monotonic() + timeout_s
    while True:
        session = open_session(run_id)
        answer = _answered(session, question, end)
        if answer is None:  # the session ended, for want of questions, just when this one came
            continue
        if "error" in answer:
            raise from_dict(answer["error"])
        outputs: list[dict[str, Any]] = answer["outputs"]
        return outputs


def open_session(run_id: str) -> str:
    """The id of the session that answers for a run, started if there is none; idle sessions of others end.

    Each keeps a model in memory and takes a place that publishing and preparing wait for.
    """
    found = None
    for row in _sessions():
        if row.parent == run_id and found is None:
            found = row.id
        elif not any((RunDirectory.of(row.id).path / "inbox").glob("*.json")):  # nobody waits for its answer
            _close(row)
    if found is not None:
        return found
    RunDirectory.of(run_id)  # raises NotFoundError
    return client.submit_request("generate", {"run": run_id, "session": True}, parent=run_id)


def is_ready(run_id: str) -> bool:
    """Whether a session of this run has its models loaded."""
    return any(row.parent == run_id and read_run(row.id).phase == "generate" for row in _sessions())


def close_session(run_id: str) -> None:
    """End the session of a run, if there is one, and free its memory."""
    for row in _sessions():
        if row.parent == run_id:
            _close(row)


def _sessions() -> list[RunRow]:
    """The sessions that are open or on their way, newest first."""
    rows = client.list_runs(kinds=("generate",), limit=100)
    alive = [row for row in rows if row.state not in (*ENDED, STOPPING) and row.wish is None]
    return [row for row in alive if RunDirectory.of(row.id).parameters.get("session")]


def _close(row: RunRow) -> None:
    try:
        client.stop(row.id, discard=True)
    except LabError:  # it has ended by itself
        if read_run(row.id).state not in ENDED:
            raise


def _answered(session: str, question: dict[str, Any], end: float) -> dict[str, Any] | None:
    """Hand a question in and wait for its answer; None when the session ended in good order without one."""
    directory = RunDirectory.of(session).path
    for name in ("inbox", "outbox"):
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    name = f"{new_id()}.json"
    asked, answered = directory / "inbox" / name, directory / "outbox" / name
    write_json(asked, question)
    try:
        return _waited(session, answered, end)
    finally:
        asked.unlink(missing_ok=True)
        answered.unlink(missing_ok=True)


def _waited(session: str, answered: Path, end: float) -> dict[str, Any] | None:
    checked = time.monotonic()
    while True:
        if answered.exists():
            answer: dict[str, Any] = read_json(answered)
            return answer
        now = time.monotonic()
        if now > end:
            raise LabError(
                N_("The models have not answered in time."),
                next=N_("Ask again: they may still be loading. The log of run {run} tells more."),
                run=session,
            )
        if now - checked > CHECK_S:
            checked = now
            client.ensure_supervisor()
            view = read_run(session)
            if view.ended and not answered.exists():
                if view.state == "failed":
                    raise from_dict(view.error or {"message": "The models could not be loaded."})
                return None
        time.sleep(LOOK_S)
