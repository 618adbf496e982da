"""The lines of a text, whatever ends them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lab.data.files import Text

_PIECES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def pieces(text: Text) -> Iterator[str]:
    """Lines that end with LF, CR LF or CR (old Mac programs), with their ends; nothing else ends a line."""
    for line in text.lines():
        if "\r" in line and not (line.endswith("\r\n") and line.count("\r") == 1):
            yield from _PIECES.findall(line)
        else:
            yield line
