"""Checkpoints that are either whole or not there.

The Trainer writes a checkpoint file by file and later takes the highest number it finds. A kill in between
leaves a folder that cannot be resumed, and some damage (a lost optimizer.pt, a flipped bit) resumes silently
with other weights. So a checkpoint counts only with `COMPLETE.json`: the size and sha256 of each file,
written last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from lab.json_io import read_json, sync_folder, write_json

MANIFEST = "COMPLETE.json"
# A pickle with every argument of the Trainer; nothing needs it, and whoever loads it runs what it says.
NEVER_KEPT = ("training_args.bin", "README.md")


def folder_of(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint of an optimizer step is."""
    return checkpoints / f"checkpoint-{step}"


def seal(folder: Path, step: int, context: dict[str, Any]) -> None:
    """Make what the Trainer wrote durable and write the manifest; `context` is what it belongs to."""
    for name in NEVER_KEPT:
        (folder / name).unlink(missing_ok=True)
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            _sync(path)
            files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": sha256(path)}
    write_json(folder / MANIFEST, {"step": step, "context": context, "files": files})
    sync_folder(folder.parent)


def verified(folder: Path) -> dict[str, Any] | None:
    """The manifest of a checkpoint if every file is as it was sealed, else None."""
    try:
        manifest = read_json(folder / MANIFEST)
    except ValueError:
        return None
    if not isinstance(manifest, dict):
        return None
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != expected["size"] or sha256(path) != expected["sha256"]:
            return None
    return manifest


def newest(checkpoints: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that verifies, and its manifest.

    Newer ones that do not (a killed save, damage) are removed, so that the Trainer can write these steps
    again.
    """
    for trash in checkpoints.glob(".trash-*"):  # of a removal that was killed
        shutil.rmtree(trash)
    for step in sorted(_steps(checkpoints), reverse=True):
        folder = folder_of(checkpoints, step)
        manifest = verified(folder)
        if manifest is not None:
            return folder, manifest
        _remove(folder)
    return None


def prune(checkpoints: Path, keep: int, *, spared: int | None = None) -> None:
    """Keep the newest `keep` sealed checkpoints, and the one of the step that is `spared`."""
    for step in sorted(_sealed(checkpoints))[:-keep]:
        if step != spared:
            _remove(folder_of(checkpoints, step))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sealed(checkpoints: Path) -> list[int]:
    return [step for step in _steps(checkpoints) if (folder_of(checkpoints, step) / MANIFEST).is_file()]


def _steps(checkpoints: Path) -> list[int]:
    if not checkpoints.is_dir():
        return []
    numbers = [entry.name.removeprefix("checkpoint-") for entry in checkpoints.glob("checkpoint-*")]
    return [int(number) for number in numbers if number.isdigit()]


def _remove(folder: Path) -> None:
    # Renamed first: a kill half-way through must not leave something that looks like a checkpoint.
    trash = folder.with_name(f".trash-{folder.name}")
    shutil.rmtree(trash, ignore_errors=True)
    os.rename(folder, trash)
    shutil.rmtree(trash)


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
