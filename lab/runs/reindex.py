"""Making lab.db again from the run directories, which hold the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.json_io import read_json
from lab.runs import states
from lab.runs.directory import RunDirectory
from lab.runs.home import created_at, is_id, runs_folder
from lab.runs.marks import ending_of, is_alive
from lab.runs.outcome import Outcome, classify
from lab.runs.store import RunRow, Store


@dataclass(frozen=True)
class Reindexed:
    """How many runs were added to the data base, and how many it knew already."""

    added: int
    known: int


def reindex() -> Reindexed:
    """Add every run directory that lab.db does not know, in the state that its files tell."""
    store = Store()
    folders = [path for path in sorted(runs_folder().iterdir()) if is_id(path.name) and path.is_dir()]
    known = {row.id for row in store.runs(kinds=tuple(states.LANE_OF), limit=10**9)}
    new = [RunDirectory(path) for path in folders if path.name not in known and _is_run(path)]
    for directory in new:
        _insert(store, directory)
    return Reindexed(added=len(new), known=len(known))


def _is_run(path: Path) -> bool:
    return (path / "request.json").is_file()


def _insert(store: Store, directory: RunDirectory) -> RunRow:
    request = directory.request
    attempt = max([request.get("after_attempt", 0), *directory.attempts()])
    outcome, ended = _state_of(directory, attempt)
    store.insert(
        directory.id,
        directory.kind,
        name=_name_of(directory),
        short=request.get("until_step") is not None,
        parent=request.get("parent"),
        attempt=attempt,
        created=created_at(directory.id),
        state=outcome.state,
        reason=outcome.reason,
        ended=ended,
    )
    return store.run(directory.id)


def _state_of(directory: RunDirectory, attempt: int) -> tuple[Outcome, float | None]:
    if is_alive(directory.attempt_path(attempt)):
        return Outcome(states.RUNNING), None  # the supervisor adopts it
    kept = read_json(directory.path / "state.json") or {}
    if kept.get("attempt") == attempt:
        reason = kept.get("reason") or {}
        return Outcome(kept["state"], reason.get("template", ""), reason.get("values")), kept.get("ended")
    if not (directory.attempt_path(attempt) / "shim.json").is_file():
        return Outcome(states.QUEUED), None  # it was handed in and never started
    return classify(ending_of(directory, attempt, wish=None)), directory.path.stat().st_mtime


def _name_of(directory: RunDirectory) -> str:
    if name := directory.request.get("name"):
        return str(name)
    try:
        return directory.spec.name if directory.has_spec else str(directory.parameters.get("name") or "")
    except LabError:
        return ""  # settings of another version: the run is kept all the same
