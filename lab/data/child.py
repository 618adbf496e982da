"""`python -m lab.data.child`: the throw-away process that parses a person's file, and may die of it.

A JSON request on its input, a JSON answer on its output; see `inspect` and `rows`. It limits itself before it
opens anything, whatever the caller has set.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Mapping
from typing import Any

from lab.data import limits
from lab.data.handing import RowsOut
from lab.data.survey import Survey, survey
from lab.errors import InputError, LabError
from lab.runs.patience import cpu_seconds
from lab.text import N_

# What a request may say about a file; what it does not say is found.
SAID = ("name", "encoding", "delimiter", "quote", "text_unit", "format", "mapping", "kind", "group")


def main() -> None:
    """Answer the request on standard input; an error is answered as {"error": ...}."""
    request = json.load(sys.stdin)
    writes = request.get("do") == "rows"
    _limit(resource.RLIMIT_AS, limits.MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, cpu_seconds(request.get("path", "")), spare=2)
    _limit(resource.RLIMIT_FSIZE, 2 * limits.FILE_BYTES if writes else 0)
    try:
        answer = rows(request) if writes else inspect(request)
    except LabError as error:
        answer = {"error": error.as_dict()}
    except MemoryError:
        answer = {"error": _too_much(request).as_dict()}
    # A lone surrogate in a file's name must not break the answer, so that it is plain ASCII.
    sys.stdout.write(json.dumps(answer))


def inspect(request: Mapping[str, Any]) -> dict[str, Any]:
    """What `data inspect --json` prints, for {"path"} and, if wanted, what is said of the file (`SAID`).

    "labels" counts labels where the kind has them. With "lenient", a file without a known column is described as
    well, with the kind null: for a form in which somebody says which column is which.
    """
    found = survey(request["path"], **_said(request), lenient=bool(request.get("lenient")))
    dropped = dict(found.dropped)
    return _described(found) | {"examples": found.examples, "trainable": found.trainable, "dropped": dropped}


def rows(request: Mapping[str, Any]) -> dict[str, Any]:
    """Write the canonical rows of the file at "path" to the new file "to", as `lab.data.handing` does.

    Answers what `inspect` does, without examples, and "has_split". Raises InputError.
    """
    descriptor = os.open(request["to"], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        out = RowsOut(file)
        found = survey(request["path"], **_said(request), write=out.add)
        out.close()
    return _described(found) | {"dropped": dict(found.dropped), "has_split": found.has_split}


def _said(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in SAID if request.get(name)}


def _described(found: Survey) -> dict[str, Any]:
    table = found.table
    return {
        "format": table.format,
        "encoding": table.encoding.removesuffix("-sig"),
        "bom": table.encoding.endswith("-sig"),
        "delimiter": table.delimiter or None,
        "quote": table.quote or None,
        "text_unit": table.text_unit or None,
        "counted": table.counted,
        "kind": found.found.kind if found.found else None,
        "rows": found.rows,
        "columns": [*table.columns, *(name for name in found.nested if name not in table.columns)],
        "mapping": found.found.mapping if found.found else {},
        "split": found.found.split if found.found and found.has_split else None,
        "labels": dict(found.labels.most_common()) if found.labels else None,
        "tag_scheme": (found.found.scheme or None) if found.found else None,
        "problems": [problem.as_dict() for problem in table.problems],
    }


def _too_much(request: Mapping[str, Any]) -> InputError:
    name = str(request.get("name") or os.path.basename(str(request.get("path", ""))))
    return InputError(
        N_("Reading {name} takes more than {limit} GiB of memory."),
        where=name,
        next=N_("Split the file, or write it as JSONL, which is read row by row."),
        name=name,
        limit=limits.MEMORY_BYTES // 2**30,
    )


def _limit(what: int, value: int, spare: int = 0) -> None:
    soft, hard = resource.getrlimit(what)
    value = value if soft == resource.RLIM_INFINITY else min(value, soft)
    most = value + spare if hard == resource.RLIM_INFINITY else min(value + spare, hard)
    resource.setrlimit(what, (value, most))


if __name__ == "__main__":
    main()
