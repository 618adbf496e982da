"""The general data that is mixed into a training part: a prepared data set, or a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from lab.data.options import Options
from lab.data.reading import read
from lab.data.source import demo_source, read_jsonl
from lab.data.split import TRAIN
from lab.runs import registry
from lab.runs.home import is_id, lab_home


def general_rows(source: str) -> tuple[list[dict[str, Any]], str]:
    """The training rows of a prepared data set, of a file or of `demo`, and their kind.

    Raises NotFoundError for a data set that does not exist, InputError for a file that cannot be used.
    """
    if is_id(source):
        rows, kind = read_jsonl(registry.dataset_path(source) / "rows.jsonl"), str(registry.dataset(source)["kind"])
        return [row for row in rows if row.get("split", TRAIN) == TRAIN], kind
    if source == "demo":
        found = demo_source()
    else:
        with tempfile.TemporaryDirectory(dir=lab_home(), prefix=".replay-") as folder:
            found = read(Path(source).expanduser(), Options(), Path(folder)).source
    return [row for row in found.rows if row.get("split", TRAIN) == TRAIN], found.kind
