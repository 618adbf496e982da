"""Which base model a run was trained on, so that a model that changed since is noticed.

`base.json` in the run directory holds the sums of the weights and of the tokenizer, made when the run loaded
them. What was tuned fits that base alone: on another one an adapter answers nonsense without a word.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.json_io import read_json, write_json
from lab.models.location import locate
from lab.runs.directory import RunDirectory
from lab.text import N_

WHOLE_UP_TO = 2 * 2**30  # bytes; of a larger file header and samples are summed, which takes seconds, not minutes
SAMPLES, SAMPLE_BYTES = 64, 2**20
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt")


def base_record(source: str) -> dict[str, str]:
    """The sum of each file of weights and tokenizer; empty for a model of the Hub, whose commit is its sum.

    Raises InputError for a folder that does not exist.
    """
    folder = locate(source).path
    if folder is None:
        return {}
    tokenizer = [folder / name for name in TOKENIZER_FILES]
    files = [*sorted(folder.glob("*.safetensors")), *(path for path in tokenizer if path.is_file())]
    return {path.name: _sum(path) for path in files}


def keep_base(directory: RunDirectory, *, commit: str = "") -> dict[str, Any]:
    """Write down the base that a run is about to be trained on; `commit` is that of a model of the Hub."""
    model = directory.spec.model
    record = {"source": model.source, "revision": model.revision, "commit": commit, "files": base_record(model.source)}
    write_json(directory.path / "base.json", record)
    return record


def kept_base(directory: RunDirectory) -> dict[str, Any]:
    """What was written down; empty while nothing was."""
    return read_json(directory.path / "base.json") or {}


def check_base(directory: RunDirectory, *, commit: str = "") -> None:
    """Refuse a base that is not the one that the run began with; without a record nothing is known.

    `commit` is that of the Hub model that was loaded, if one was. Raises LabError for a base that changed,
    InputError for a folder that has gone.
    """
    kept = kept_base(directory)
    if not kept:
        return
    source = str(kept["source"])
    now = base_record(source)
    changed = [name for name in sorted(kept["files"].keys() | now.keys()) if kept["files"].get(name) != now.get(name)]
    if commit and kept["commit"] and commit != kept["commit"]:
        changed.append(commit[:12])
    if changed:
        raise LabError(
            N_("The base model {model} is not the one that this run was trained on: {files} changed since."),
            where="model.source",
            next=N_("Put the earlier model back, or train again."),
            model=source,
            files=", ".join(changed),
        )


def _sum(path: Path) -> str:
    size = path.stat().st_size
    with open(path, "rb") as file:
        if size <= WHOLE_UP_TO:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(str(size).encode())
        header = 8 + int.from_bytes(file.read(8), "little")
        for start in (0, *range(header, size, max(1, (size - header) // SAMPLES))):
            file.seek(start)
            digest.update(file.read(SAMPLE_BYTES if start else min(header, 100 * SAMPLE_BYTES)))
    return "sampled:" + digest.hexdigest()
