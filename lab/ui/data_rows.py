"""Rows of a prepared data set, read where they lie."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any


def read(path: Path, first: int, count: int) -> list[dict[str, Any]]:
    """Some rows of a prepared set, from the one with this number (from 0)."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in islice(file, first, first + count)]
