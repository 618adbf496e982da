"""The readers, one for each format: a file becomes a table of rows, or a sentence about the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.data.files import File
from lab.data.readers.class_folders import read_folders
from lab.data.readers.conll import looks_like_conll, read_conll
from lab.data.readers.delimited import read_csv
from lab.data.readers.json_rows import read_json, read_jsonl
from lab.data.readers.parquet import read_parquet
from lab.data.readers.plain_text import read_text
from lab.data.table import Table

_READERS: dict[str, Callable[[Any], Table]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "json": read_json,
    "jsonl": read_jsonl,
    "txt": read_text,
    "conll": read_conll,
    "parquet": read_parquet,
    "zip": read_folders,
}


def read(file: File) -> Table:
    """The table in a file. Raises InputError, at once or while rows are read, naming the line that is wrong."""
    form = file.format
    if form == "txt" and not file.said.format and looks_like_conll(file):
        form = "conll"
    return _READERS[form](file)
