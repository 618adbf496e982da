"""What makes two prepared data sets the same, on any machine: content, options and tokenizer; no path, no time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lab.data.options import Options
from lab.data.tokenised import FORMAT, Array

# Their effect is in the rows or in the tokenizer's own fingerprint, or they shape no example.
_OUTSIDE = (
    *("model", "revision", "columns", "kind", "batch", "packing"),
    *("encoding", "delimiter", "quote", "text_unit", "format"),
)


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path | None = None) -> tuple[str, Array]:
    """sha256 of the rows as JSON lines, and where each line begins and the last ends (bytes, int64 [rows + 1]).

    With a `path` the lines are written to it, too.
    """
    digest, sizes = hashlib.sha256(), [0]
    with open(path or os.devnull, "wb") as file:
        for row in rows:
            line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
            digest.update(line)
            sizes.append(len(line))
            file.write(line)
    return digest.hexdigest(), np.cumsum(sizes, dtype=np.int64)


def fingerprint(options: Options, kind: str, template: str, rows: str, tokenizer: str) -> str:
    """sha256 of a prepared data set; `rows` and `tokenizer` are the sums of the rows and of the tokenizer."""
    told = {name: value for name, value in options.as_dict().items() if name not in _OUTSIDE}
    preparation = dict(told["preparation"])
    preparation["replay_source"] = bool(preparation.get("replay_source"))  # its rows count, not its place
    told |= {"preparation": preparation, "template": template, "kind": kind}
    return _sum(told | {"rows": rows, "tokenizer": tokenizer})


def tokens_key(options: Options, kind: str, template: str, rows: str, tokenizer: str) -> str:
    """sha256 of what decides over the arrays of `lab.data.tokenised`: they serve every run with the same key."""
    names = ("max_length", "too_long", "completion_only")
    told: dict[str, Any] = {name: getattr(options, name) for name in names}
    return _sum(told | {"kind": kind, "template": template, "rows": rows, "tokenizer": tokenizer, "format": FORMAT})


def _sum(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
