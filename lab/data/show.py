"""`python -m lab.data.show`: a throw-away process that shows one row of a prepared data set, token by token.

A JSON request {"dataset", "row"} on its input; {"row", "tokens": {"segments", "split"} or null} on its output. The
tokens are read back from the arrays that a training would read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lab.data.example import Example
from lab.data.examples import RowsFile
from lab.data.report import segments
from lab.data.tokenised import Array, Tokens, load
from lab.data.tokenizer import load_tokenizer
from lab.errors import InputError, LabError
from lab.json_io import read_json
from lab.runs import registry
from lab.text import N_


def main() -> None:
    """Answer the request on standard input; an error is answered as {"error": ...}."""
    try:
        answer = show(json.load(sys.stdin))
    except LabError as error:
        answer = {"error": error.as_dict()}
    sys.stdout.write(json.dumps(answer))


def show(request: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the number "row" (from 0) and its tokens; no tokens where it was cut out as too long, or where the
    kind of data becomes ids only in the training.

    Raises NotFoundError without such a data set, InputError without such a row.
    """
    folder, number = registry.dataset_path(str(request["dataset"])), int(request["row"])
    kept = _arrays(folder)
    if kept is None:
        return {"row": None, "tokens": None}
    tokens, lines = kept
    if not 0 <= number < len(lines) - 1:
        raise InputError(N_("There is no row {row}."), where="row", row=number + 1)
    row = RowsFile(folder / "rows.jsonl", lines)[number]
    found = np.flatnonzero(np.asarray(tokens.index[:, 0]) == number)
    return {"row": row, "tokens": _shown(tokens, int(found[0]), folder) if len(found) else None}


def _arrays(folder: Path) -> tuple[Tokens, Array] | None:
    """The arrays of a prepared set: those of its own preparation, the only ones with its key."""
    for told in sorted((folder / "tokens").glob("*/tokens.json")):
        record = read_json(told) or {}
        found = load(folder, str(record.get("key", "")))
        if found:
            return found[0], found[2]
    return None


def _shown(tokens: Tokens, example: int, folder: Path) -> dict[str, Any]:
    record = read_json(folder / "dataset.json") or {}
    options = record.get("options") or {}
    tokenizer = load_tokenizer(str(record.get("model", "demo")), str(options.get("revision") or ""))
    ids, labels = tokens.ids(example).tolist(), tokens.labels(example).tolist()
    part = next(name for name, (first, end) in tokens.parts.items() if first <= example < end)
    return {"segments": segments(Example("", "", "", "", ids, labels, 0), tokenizer), "split": part}


if __name__ == "__main__":
    main()
