"""The lines of a text, whatever ends them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from lab.data.files import Text

_PIECES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def pieces(text: Text) -> Iterator[str]:
    """Lines that end with LF, CR LF or CR (old Mac programs), with their ends; nothing else ends a line."""
    return chain.from_iterable(map(_pieces, text.blocks()))


def _pieces(block: str) -> Iterable[str]:
    if "\r" in block and block.count("\r") != block.count("\r\n"):
        return _PIECES.findall(block)
    return io.StringIO(block, newline="\n")
