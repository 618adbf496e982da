"""Which data sets and local models there are in LAB_HOME; their folders are the registry."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lab.errors import NotFoundError
from lab.json_io import read_json
from lab.runs.home import datasets_folder, is_id, lab_home, models_folder
from lab.text import N_


def datasets() -> list[dict[str, Any]]:
    """The record (dataset.json) of every prepared data set, newest first."""
    folders = sorted((path for path in datasets_folder().iterdir() if is_id(path.name)), reverse=True)
    return [record for path in folders if (record := read_json(path / "dataset.json"))]


def dataset_path(dataset: str) -> Path:
    """The folder of a prepared data set. Raises NotFoundError."""
    path = datasets_folder() / dataset if is_id(dataset) else None
    if path is None or not (path / "dataset.json").is_file():
        raise NotFoundError(
            N_("There is no data set {dataset}."),
            where="data.source",
            next=N_("Prepare one with: python -m lab data prepare FILE"),
            dataset=dataset[:40],
        )
    return path


def dataset(identifier: str) -> dict[str, Any]:
    """The record of a prepared data set. Raises NotFoundError."""
    record: dict[str, Any] = read_json(dataset_path(identifier) / "dataset.json")
    return record


def versions(name: str) -> list[dict[str, Any]]:
    """The records of the data sets with this name, the newest version first."""
    named = [record for record in datasets() if record.get("name") == name]
    return sorted(named, key=version_of, reverse=True)


def latest_version(name: str) -> dict[str, Any] | None:
    """The record of the newest version of a data set, with its version; None when nothing is called so."""
    found = versions(name)
    return found[0] | {"version": version_of(found[0])} if found else None


def find_dataset(text: str) -> str:
    """The id of a data set that is named by its id, its name (the newest version) or NAME@VERSION.

    Raises NotFoundError.
    """
    if is_id(text):
        return str(dataset(text)["id"])
    name, _, version = text.rpartition("@")
    for record in [*versions(text), *(versions(name) if name else [])]:
        if record["name"] == text or str(version_of(record)) == version:
            return str(record["id"])
    return str(dataset(text)["id"])  # there is none: this says so


def version_of(record: dict[str, Any]) -> int:
    """Which version a record is; one that was prepared before there were versions is the first."""
    return int(record.get("version") or 1)


def used_version(source: str) -> dict[str, Any] | None:
    """What a run notes about the prepared data set that it learns from; None for a source of another sort."""
    if not is_id(source):
        return None
    try:
        record = dataset(source)
    except NotFoundError:  # the worker says so
        return None
    told = {"dataset": source, "name": record.get("name", ""), "version": version_of(record)}
    return told | {"fingerprint": record.get("fingerprint", "")}


def name_of(source: str) -> str:
    """What `data.source` is called: a prepared data set's name, a file's name, or the source itself."""
    if not is_id(source):
        return source.rstrip("/").rpartition("/")[2] if Path(source).expanduser().is_absolute() else source
    try:
        return str(dataset(source).get("name") or source)
    except NotFoundError:  # deleted since
        return source


def delete_dataset(identifier: str) -> None:
    """Remove a prepared data set; runs that used it keep what they wrote. Raises NotFoundError."""
    path = dataset_path(identifier)
    trash = lab_home() / ".trash"
    trash.mkdir(mode=0o700, exist_ok=True)
    path.rename(trash / identifier)
    shutil.rmtree(trash / identifier)


def local_models() -> list[Path]:
    """The model folders in LAB_HOME/models (one level, or two as in owner/name), by name."""
    configs = [*models_folder().glob("*/config.json"), *models_folder().glob("*/*/config.json")]
    return sorted(path.parent for path in configs)
