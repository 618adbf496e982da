"""Formats that hide behind the name of another one, known by their first bytes."""

from __future__ import annotations

# (offset, first bytes, what it is)
_FOREIGN = (
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"PK\x03\x04", "zip archive (an Excel workbook is one, too)"),
    (0, b"PK\x05\x06", "zip archive"),
    (0, b"BZh", "bzip2 archive"),
    (0, b"\xfd7zXZ", "xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "zstd archive"),
    (0, b"7z\xbc\xaf", "7z archive"),
    (0, b"Rar!", "rar archive"),
    (257, b"ustar", "tar archive"),
    (0, b"PAR1", "Parquet file"),
    (0, b"ARROW1", "Arrow file"),
    (0, b"%PDF", "PDF document"),
    (0, b"\xd0\xcf\x11\xe0", "old Office document"),
    (0, b"SQLite format 3", "SQLite database"),
    (0, b"\x80\x02", "Python pickle"),
    (0, b"\x80\x04", "Python pickle"),
)


def what_it_is(head: bytes) -> str:
    """What the first bytes of a file say that it is; empty for text and for what is not known."""
    return next((what for at, magic, what in _FOREIGN if head[at : at + len(magic)] == magic), "")
