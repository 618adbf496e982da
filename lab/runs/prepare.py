"""Making the directory of a run before it is queued."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.json_io import sync_folder, write_json, write_text
from lab.runs import registry
from lab.runs.directory import RunDirectory
from lab.runs.events import tail_events
from lab.runs.home import is_id, new_id, runs_folder

if TYPE_CHECKING:
    from lab.spec import RunSpec


def new_run(
    request: dict[str, Any], *, spec: RunSpec | None = None, plan: dict[str, Any] | None = None
) -> RunDirectory:
    """Make the directory of a new run with its request, spec and plan; it is on disk when this returns."""
    from lab.spec import dump

    directory = _new_folder()
    if spec is not None:
        write_text(directory.path / "spec.yaml", dump(spec))
        used = registry.used_version(spec.data.source)
        write_json(directory.path / "plan.json", (plan or {}) | ({"data": used} if used else {}))
    write_json(directory.path / "request.json", request | {"created": time.time()})
    sync_folder(directory.path.parent)
    return directory


def rooted(spec: RunSpec) -> RunSpec:
    """The spec with its folders and files as absolute paths: the worker runs elsewhere."""
    from lab.spec import value_at, with_overrides

    changes: dict[str, Any] = {path: _absolute(value_at(spec, path)) for path in _PLACES}
    changes["tasks.sources"] = {name: _absolute(source) for name, source in spec.tasks.sources.items()}
    return with_overrides(spec, {path: value for path, value in changes.items() if value != value_at(spec, path)})


_PLACES = ("model.source", "data.source", "method.adapter", "regularisation.ewc_data", "preparation.replay_source")


def _absolute(source: str) -> str:
    place = Path(source).expanduser()
    known = source != "demo" and source.strip() and "\0" not in source and not is_id(source) and place.exists()
    return str(place.absolute()) if known else source


def continuation(parent: RunDirectory, *, after_attempt: int) -> RunDirectory:
    """Make the directory of the full run that goes on where the short run `parent` ended.

    It shares the files of the newest sealed checkpoint (hard links: they never change) and has copies of what
    grows. Its attempts are counted on from `after_attempt`, because a later attempt's events replace an
    earlier one's.
    """
    directory = _new_folder()
    for name in ("spec.yaml", "plan.json", "base.json"):
        if (parent.path / name).is_file():  # the base is written down since a later version
            shutil.copy2(parent.path / name, directory.path / name)
    _copy_events(parent, directory)
    for folder in (parent.review_path, parent.tensorboard_path):
        if folder.is_dir():
            shutil.copytree(folder, directory.path / folder.name)
    sealed = parent.sealed_checkpoints()
    if sealed:
        newest = sealed[-1].path
        shutil.copytree(newest, directory.checkpoints_path / newest.name, copy_function=_link)
    changed = {
        "until_step": None,
        "parent": parent.id,
        "created": time.time(),
        "after_attempt": after_attempt,
    }
    write_json(directory.path / "request.json", parent.request | changed)
    sync_folder(directory.path.parent)
    return directory


def _copy_events(parent: RunDirectory, directory: RunDirectory) -> None:
    # What was measured and said stays true of the longer run; how far the short one had come does not.
    events, _ = tail_events(parent.events_path)
    lines = [json.dumps(event, ensure_ascii=False) for event in events if event["kind"] not in ("progress", "phase")]
    write_text(directory.events_path, "".join(line + "\n" for line in lines))


def _new_folder() -> RunDirectory:
    path = runs_folder() / new_id()
    path.mkdir(mode=0o700)
    return RunDirectory(path)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
    sync_folder(Path(target).parent)
