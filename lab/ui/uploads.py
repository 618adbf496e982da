"""Files that a person hands over: written to disk as they come, never kept in the memory of the page."""

from __future__ import annotations

import re
import shutil
import time
import unicodedata
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lab.errors import InputError, LabError, NotFoundError
from lab.json_io import read_json, write_json
from lab.runs import disk
from lab.runs.home import created_at, is_id, lab_home, new_id
from lab.text import N_

KEPT_SECONDS = 7 * 24 * 3600
MOST_BYTES = 2 * 2**30  # what the reading process takes
CHUNK = 1 << 20
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_LONGEST_NAME = 120


class Upload(NamedTuple):
    """An uploaded file: where it lies and what its owner calls it."""

    id: str
    path: Path
    name: str


class Incoming:
    """A file on its way in: `write` its parts in order, then `finish`, or `abandon` and nothing is left.

    Only a finished upload has its upload.json, so that a torn one is never found. The name is for reading and never
    becomes a path. Raises LabError when the disk takes no more, InputError for a file that is too large.
    """

    def __init__(self, name: str, expected: int = 0) -> None:
        _sweep()
        self.id, self.name, self.size = new_id(), display_name(name), 0
        _check_size(self.name, expected)
        disk.require_room(lab_home(), expected + disk.SPARE)
        self._folder = _folder() / self.id
        self._folder.mkdir(mode=0o700, parents=True)
        suffix = Path(self.name).suffix.lower()
        self._target = self._folder / ("source" + (suffix if _SUFFIX.fullmatch(suffix) else ""))
        self._file = self._target.open("xb", buffering=0)

    def write(self, part: bytes | bytearray | memoryview) -> None:
        """Append to the file on disk."""
        self.size += len(part)
        _check_size(self.name, self.size)
        try:
            rest = memoryview(part)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _not_stored(self.name, error) from None

    def finish(self) -> str:
        """Close the file and return the id under which `find` knows it. Raises InputError when it is empty."""
        self._file.close()
        if not self.size:
            raise InputError(N_("The file {name} is empty."), where="upload", name=self.name)
        try:
            write_json(self._folder / "upload.json", {"name": self.name, "file": self._target.name, "size": self.size})
        except OSError as error:
            raise _not_stored(self.name, error) from None
        return self.id

    def abandon(self) -> None:
        """Remove what was written."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def keep(file: BinaryIO, name: str) -> str:
    """Write an open file to LAB_HOME/uploads/<id> and return its id. Raises LabError as `Incoming` does."""
    incoming = Incoming(name)
    try:
        while part := file.read(CHUNK):
            incoming.write(part)
        return incoming.finish()
    except BaseException:
        incoming.abandon()
        raise


def find(identifier: str) -> Upload:
    """The upload with this id. Raises NotFoundError when there is none, or no longer."""
    record = read_json(_folder() / identifier / "upload.json") if is_id(identifier) else None
    if not record:
        raise NotFoundError(N_("This uploaded file is no longer here."), where="upload", next=N_("Upload it again."))
    return Upload(identifier, _folder() / identifier / Path(record["file"]).name, str(record["name"]))


def said_path(identifier: str) -> Path:
    """The file beside an upload that holds what a person said of it."""
    return _folder() / identifier / "said.json"


def forget(identifier: str) -> None:
    """Remove an upload once a prepared data set holds its own copy."""
    if is_id(identifier):
        shutil.rmtree(_folder() / identifier, ignore_errors=True)


def display_name(name: str) -> str:
    """The last part of a file's name in one line: no control, format or bidirectional characters, at most 120."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name).rstrip("/\\"))[-1]
    shown = " ".join("".join(letter for letter in last if unicodedata.category(letter)[0] != "C").split())
    if len(shown) > _LONGEST_NAME:  # the end tells the format
        shown = shown[: _LONGEST_NAME - 13] + "…" + shown[-12:]
    return shown or "data"


def _check_size(name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise InputError(
            N_("The file {name} is larger than {limit} GiB."),
            where="upload",
            next=N_("Split it, or leave out columns that the model does not learn from."),
            name=name,
            limit=MOST_BYTES // 2**30,
        )


def _not_stored(name: str, error: OSError) -> LabError:
    return LabError(
        N_("The file {name} could not be stored: {why}."),
        where="upload",
        next=N_("Make room on the disk of the lab's home and upload it again."),
        name=name,
        why=error.strerror or "the disk refused it",
    )


def _folder() -> Path:
    return lab_home() / "uploads"


def _sweep() -> None:
    oldest = time.time() - KEPT_SECONDS
    for entry in _folder().iterdir() if _folder().is_dir() else ():
        if is_id(entry.name) and created_at(entry.name) < oldest:
            shutil.rmtree(entry, ignore_errors=True)
