"""The name of a person's file as something to read, never as a path."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 120


def display_name(name: str) -> str:
    """The last part of a file's name, in one line: no control, format or bidirectional characters, at most
    120.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name).rstrip("/\\"))[-1]
    shown = "".join(character for character in last if unicodedata.category(character)[0] != "C")
    return " ".join(shown.split())[:_LONGEST] or "data"
