"""From bytes to lines of text: the kind of file, its encoding, and the line of a byte that does not fit."""

from __future__ import annotations

import codecs
import io
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.data import limits
from lab.errors import InputError
from lab.text import N_

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}

# Encodings that a person may name. UTF-8, and UTF-16 or UTF-32 with a byte order mark, are found without
# help.
ENCODINGS = (
    *(
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "cp1252",
        "latin-1",
        "iso-8859-2",
        "iso-8859-15",
    ),
    *(
        "mac-roman",
        "cp437",
        "cp850",
        "cp1250",
        "cp1251",
        "koi8-r",
        "gb18030",
        "big5",
        "shift_jis",
        "euc-jp",
        "euc-kr",
    ),
)

# (offset, first bytes, what it is): formats that a suffix may hide.
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
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)


@dataclass(frozen=True)
class Text:
    """A file that is text: where it is, what it is called in sentences, its format and its encoding."""

    path: Path
    name: str
    format: str
    encoding: str

    def lines(self) -> Iterator[str]:
        """Its physical lines, with their ends. Raises InputError for the first line that is no text."""
        wide = self.encoding.startswith(("utf-16", "utf-32"))
        source = self._wide_lines() if wide else self._lines_by_byte()
        for number, line in enumerate(source, 1):
            if len(line) > limits.LINE_CHARACTERS:
                raise self.refusal(
                    N_("Line {line} is longer than {limit:,} characters."),
                    number,
                    next=N_("Split the row."),
                    limit=limits.LINE_CHARACTERS,
                )
            if "\0" in line:
                raise self.refusal(
                    N_("Line {line} contains a NUL character, which is not text."),
                    number,
                    next=N_("Save the file as UTF-8 text, without binary data."),
                )
            yield line

    def refusal(self, sentence: str, line: int | None = None, /, **values: object) -> InputError:
        """The error for this file; `line` counts from 1. `allowed` and `next` may be given as sentences."""
        where = f"{self.name}:{line}" if line else self.name
        allowed, way_out = str(values.pop("allowed", "")), str(values.pop("next", ""))
        values |= {"line": line} if line else {}
        return InputError(sentence, where=where, allowed=allowed, next=way_out, **values)

    def _lines_by_byte(self) -> Iterator[str]:
        """Lines of an encoding in which a line ends with the byte 10 and nothing else has it."""
        encoding = self.encoding.removesuffix("-sig")
        with open(self.path, "rb") as file:
            number = 0
            while line := file.readline(4 * limits.LINE_CHARACTERS + 8):
                number += 1
                if number == 1 and encoding == "utf-8":
                    line = line.removeprefix(b"\xef\xbb\xbf")
                try:
                    yield line.decode(encoding)
                except UnicodeDecodeError as error:
                    raise self._undecodable(number, line[error.start], error.start + 1) from None

    def _wide_lines(self) -> Iterator[str]:
        """Lines of UTF-16 or UTF-32."""
        with open(self.path, "rb") as raw:
            file = io.TextIOWrapper(raw, encoding=self.encoding, newline="\n")
            try:
                while line := file.readline(limits.LINE_CHARACTERS + 1):
                    yield line
            except UnicodeError:
                raise self._undecodable(self._line_of_the_error()) from None

    def _line_of_the_error(self) -> int:
        decoder = codecs.getincrementaldecoder(self.encoding)()
        line = 1
        with open(self.path, "rb") as file:
            while block := file.read(4):
                try:
                    line += decoder.decode(block).count("\n")
                except UnicodeError:
                    break
        return line

    def _undecodable(self, line: int, byte: int | None = None, column: int = 0) -> InputError:
        if byte is None or not self.encoding.startswith("utf-8"):
            return self.refusal(
                N_("Line {line} is not {encoding} text."),
                line,
                next=N_("Name another encoding, or save the file as UTF-8."),
                encoding=self.encoding,
            )
        return self.refusal(
            N_("Line {line} is not UTF-8 text: byte {byte} at position {column}."),
            line,
            allowed=N_("UTF-8 and UTF-16 are recognised."),
            next=N_("Save the file as UTF-8, or name its encoding, such as cp1252 (Windows programs)."),
            byte=f"0x{byte:02x}",
            column=column,
        )


def open_text(path: str | Path, *, name: str = "", encoding: str = "") -> Text:
    """Look at a file without reading it: its format by its suffix, its encoding by its first bytes or as
    named.

    `name` is what sentences call it. Raises InputError for what is missing, empty, too large, or no text
    file.
    """
    path = Path(path)
    name = name or path.name
    size = _regular_size(path, name)
    with open(path, "rb") as file:
        head = file.read(512)
    _refuse_foreign(head, name)
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise InputError(
            N_("{name} has no format that the lab reads."),
            where=name,
            allowed=N_("Allowed: .csv, .tsv, .json, .jsonl."),
            next=N_("Save the data in one of these formats."),
            name=name,
        )
    text = Text(path, name, form, _encoding(head, encoding, name))
    limit = limits.JSON_BYTES if form == "json" else limits.FILE_BYTES
    if size > limit:
        raise text.refusal(
            N_("{name} has {size:.1f} GiB."),
            allowed=N_("Allowed: up to {limit:g} GiB."),
            next=N_("Split the file, or write it as JSONL.") if form == "json" else N_("Split the file."),
            name=name,
            size=size / 2**30,
            limit=limit / 2**30,
        )
    return text


def _regular_size(path: Path, name: str) -> int:
    try:
        facts = path.stat()
    except OSError as error:
        raise InputError(
            N_("The file {name} cannot be read: {why}."),
            where=name,
            name=name,
            why=error.strerror or "unknown",
        ) from None
    if not stat.S_ISREG(facts.st_mode):
        raise InputError(
            N_("{name} is not a file."),
            where=name,
            next=N_("Name one CSV, TSV, JSON or JSONL file."),
            name=name,
        )
    if facts.st_size == 0:
        raise InputError(
            N_("The file {name} is empty."), where=name, next=N_("Choose a file with rows."), name=name
        )
    return facts.st_size


def _refuse_foreign(head: bytes, name: str) -> None:
    for offset, magic, what in _FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            raise InputError(
                N_("{name} is a {what}, not the text that the lab reads."),
                where=name,
                allowed=N_("Allowed: .csv, .tsv, .json, .jsonl."),
                next=N_("Unpack or convert it first, and give the file inside."),
                name=name,
                what=what,
            )


def _encoding(head: bytes, given: str, name: str) -> str:
    given = given.strip().lower().replace("_", "-").replace("shift-jis", "shift_jis")
    if given and given not in ENCODINGS:
        raise InputError(
            N_("The lab does not know the encoding {encoding}."),
            where=name,
            allowed=N_("Allowed: {choices}."),
            encoding=given,
            choices=", ".join(ENCODINGS),
        )
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")
    return given or marked or "utf-8"
