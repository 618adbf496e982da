"""Files that a person hands over: written to disk at once, never kept in the memory of the page."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lab.errors import LabError, NotFoundError
from lab.json_io import read_json, write_json
from lab.runs.home import created_at, is_id, lab_home, new_id
from lab.text import N_

KEPT_SECONDS = 7 * 24 * 3600
MOST_MEGABYTES = 200
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


class Upload(NamedTuple):
    """An uploaded file: where it lies and what its owner calls it."""

    id: str
    path: Path
    name: str


def keep(file: BinaryIO, name: str) -> str:
    """Write an uploaded file to LAB_HOME/uploads/<id> and return its id; older leftovers are removed.

    Raises LabError when the disk takes no more.
    """
    _sweep()
    identifier = new_id()
    folder = _folder() / identifier
    suffix = Path(name).suffix.lower()
    target = folder / ("source" + (suffix if _SUFFIX.fullmatch(suffix) else ""))
    try:
        folder.mkdir(mode=0o700, parents=True)
        with target.open("wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
        write_json(folder / "upload.json", {"name": name[:200], "file": target.name})
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise LabError(
            N_("The file {name} could not be stored: {why}."),
            where="upload",
            next=N_("Make room on the disk of the lab's home and upload it again."),
            name=name[:80],
            why=error.strerror or "the disk refused it",
        ) from None
    return identifier


def find(identifier: str) -> Upload:
    """The upload with this id. Raises NotFoundError when there is none, or no longer."""
    record = read_json(_folder() / identifier / "upload.json") if is_id(identifier) else None
    if not record:
        raise NotFoundError(N_("This uploaded file is no longer here."), where="upload", next=N_("Upload it again."))
    return Upload(identifier, _folder() / identifier / Path(record["file"]).name, str(record["name"]))


def forget(identifier: str) -> None:
    """Remove an upload once a prepared data set holds its own copy."""
    if is_id(identifier):
        shutil.rmtree(_folder() / identifier, ignore_errors=True)


def _folder() -> Path:
    return lab_home() / "uploads"


def _sweep() -> None:
    oldest = time.time() - KEPT_SECONDS
    for entry in _folder().iterdir() if _folder().is_dir() else ():
        if is_id(entry.name) and created_at(entry.name) < oldest:
            shutil.rmtree(entry, ignore_errors=True)
