"""What a command prints, and where: the answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from lab.errors import LabError


class Output:
    """Prints for people, or one JSON object for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):  # a terminal without UTF-8 shows escapes instead of failing
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="backslashreplace")

    def answer(self, record: Mapping[str, Any], text: str | Sequence[str] = "") -> None:
        """Print the answer: the record for programs, the text for people."""
        if self.as_json:
            _write(sys.stdout, json.dumps(record, ensure_ascii=False, default=str))
        else:
            _write(sys.stdout, text if isinstance(text, str) else "\n".join(text))

    def note(self, text: str) -> None:
        """Print something beside the answer."""
        _write(sys.stderr, text)

    def error(self, error: LabError) -> None:
        """Print an error: as an object for programs, as a sentence for people."""
        if self.as_json:
            _write(sys.stdout, json.dumps({"error": error.as_dict()}, ensure_ascii=False, default=str))
        _write(sys.stderr, f"Error: {error}")


def table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> str:
    """Rows under heads, in columns as wide as their widest cell; numbers are aligned by the caller."""
    cells = [list(heads), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def facts(pairs: Sequence[tuple[str, object]]) -> str:
    """Names and values, one pair a line; pairs without a value are left out."""
    shown = [(name, str(value)) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown)


def _write(stream: TextIO, text: str) -> None:
    if text:
        stream.write(text + "\n")
        stream.flush()
