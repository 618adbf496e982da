"""A person's file through the throw-away process: what comes back is JSONL that the lab itself wrote."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.data import limits
from lab.data.options import Options
from lab.data.source import Source, read_jsonl
from lab.runs.child import ask

CHILD = "lab.data.child"


@dataclass
class Reading:
    """A file's rows, and what was found on the way: format, encoding, columns, problems."""

    source: Source
    facts: dict[str, Any] = field(default_factory=dict)


def inspect(path: str | Path, **said: Any) -> dict[str, Any]:
    """What `data inspect --json` prints; `said` may name lenient and what `lab.data.child.SAID` lists.

    Raises InputError for a file that cannot be used.
    """
    return ask(CHILD, {"do": "inspect", "path": _absolute(path)} | said, timeout_s=limits.WALL_SECONDS)


def read(path: str | Path, options: Options, folder: Path, *, name: str = "") -> Reading:
    """The canonical rows of a file; `folder` holds them for a moment. Raises InputError."""
    written = folder / ".canonical.jsonl"
    written.unlink(missing_ok=True)
    request = {"do": "rows", "path": _absolute(path), "to": str(written.absolute()), "name": name}
    said = {
        field: getattr(options, field) for field in ("kind", "encoding", "delimiter", "quote", "text_unit", "format")
    }
    said["mapping"] = options.columns
    size = {"file": 2 * limits.FILE_BYTES}
    try:
        facts = ask(CHILD, request | said, timeout_s=limits.WALL_SECONDS, limits=size)
        rows = list(read_jsonl(written))
    finally:
        written.unlink(missing_ok=True)
    if not facts["has_split"]:
        for row in rows:
            row.pop("split", None)
    shown = name or Path(path).name
    dropped = Counter(facts.pop("dropped"))
    return Reading(Source(shown, facts["kind"], rows, facts["mapping"], facts["rows"], dropped), facts)


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().absolute())
