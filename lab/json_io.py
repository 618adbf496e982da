"""JSON files that are either the old one or the new one, never a mixture."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_text(path: str | Path, text: str) -> None:
    """Replace the file at `path` by `text`: after a crash or a full disk it holds either all of it or what it
    held.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: str | Path, value: Any) -> None:
    """Replace the file at `path` by `value` as JSON, atomically. Raises ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def read_json(path: str | Path) -> Any:
    """The value in a JSON file; None when there is no such file.

    Raises ValueError for a file that is not JSON: our own files are written atomically, so a torn one is
    damage.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    return json.loads(text)


def sync_folder(path: Path) -> None:
    """Make a rename in this folder survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
