"""A person's file through the throw-away process: what comes back are rows that the lab itself wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.data import limits
from lab.data.handing import rows_in
from lab.data.options import Options
from lab.data.source import Source
from lab.runs.child import ask
from lab.runs.patience import cpu_seconds, wall_seconds

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
    request, most = {"do": "inspect", "path": _absolute(path)} | said, {"cpu_s": cpu_seconds(path)}
    return ask(CHILD, request, timeout_s=wall_seconds(path), limits=most)


def read(
    path: str | Path, options: Options, folder: Path, *, name: str = "", go_on: Callable[[], None] = lambda: None
) -> Reading:
    """The canonical rows of a file; `folder` holds them for a moment.

    `go_on` is called now and then; what it raises ends the reading. Raises InputError.
    """
    written = folder / ".canonical.rows"
    written.unlink(missing_ok=True)
    request = {"do": "rows", "path": _absolute(path), "to": str(written.absolute()), "name": name}
    said = {
        field: getattr(options, field) for field in ("kind", "encoding", "delimiter", "quote", "text_unit", "format")
    }
    said["mapping"] = options.columns
    if options.preparation.split_by == "group":
        said["group"] = options.preparation.group_column
    most = {"file": 2 * limits.FILE_BYTES, "cpu_s": cpu_seconds(path)}
    try:
        facts = ask(CHILD, request | said, timeout_s=wall_seconds(path), limits=most, go_on=go_on)
        rows = list(rows_in(written))
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
