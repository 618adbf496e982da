"""A person's file before it is read: its format, its encoding, and its lines as text."""

from __future__ import annotations

import codecs
import io
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from lab.data import limits
from lab.data.encodings import LOOKED_AT, marked, suggested
from lab.data.foreign import what_it_is
from lab.data.said import Said
from lab.errors import InputError
from lab.text import N_

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "txt",
    ".md": "txt",
    ".conll": "conll",
    ".conllu": "conll",
    ".iob": "conll",
    ".bio": "conll",
    ".zip": "zip",
}
_ALLOWED = N_("Allowed: .csv, .tsv, .json, .jsonl, .parquet, .txt, .md, .conll, .conllu, .iob, and .zip of folders.")
_BLOCK = 2**18  # bytes that are decoded at once
_MAGIC = {"parquet": b"PAR1", "zip": b"PK"}


@dataclass(frozen=True)
class File:
    """A file that may be read: where it is, what it is called in sentences, its format, and what was said of it."""

    path: Path
    name: str
    format: str
    said: Said
    encoding: str = ""

    def refusal(self, sentence: str, line: int | None = None, /, **values: object) -> InputError:
        """The error for this file; `line` counts from 1. `allowed` and `next` may be given as sentences."""
        where = f"{self.name}:{line}" if line else self.name
        allowed, way_out = str(values.pop("allowed", "")), str(values.pop("next", ""))
        values |= {"line": line} if line else {}
        return InputError(sentence, where=where, allowed=allowed, next=way_out, **values)


@dataclass(frozen=True)
class Text(File):
    """A file that is text in one encoding."""

    def lines(self) -> Iterator[str]:
        """Its physical lines, with their ends. Raises InputError for the first line that is no text."""
        return chain.from_iterable(io.StringIO(block, newline="\n") for block in self.blocks())

    def blocks(self) -> Iterator[str]:
        """The same, some lines at once: a large file has millions of them."""
        if self.encoding.startswith(("utf-16", "utf-32")):
            for number, line in enumerate(self._wide_lines(), 1):
                yield self._checked(number, line)
            return
        encoding, number = self.encoding.removesuffix("-sig"), 1
        with open(self.path, "rb") as file:
            if encoding == "utf-8" and file.read(3) != b"\xef\xbb\xbf":
                file.seek(0)
            while block := file.read(_BLOCK):
                block += file.readline(4 * limits.LINE_CHARACTERS + 8)
                if b"\0" not in block and len(block) <= limits.LINE_CHARACTERS:
                    with suppress(UnicodeDecodeError):
                        yield block.decode(encoding)
                        number += block.count(b"\n")
                        continue
                for line in self._lines_by_byte(block, file, encoding, number):
                    yield line
                    number += 1

    def _lines_by_byte(self, block: bytes, file: BinaryIO, encoding: str, number: int) -> Iterator[str]:
        """The lines of a block that is not as it should be, up to the one that is wrong; `file` goes on behind it."""
        rest = io.BytesIO(block)
        for at, line in enumerate(rest, number):
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError as error:
                sample = line + (rest.read(LOOKED_AT) + file.read(LOOKED_AT))[:LOOKED_AT]
                raise self._undecodable(at, line[error.start], error.start + 1, sample) from None
            yield self._checked(at, text)

    def _checked(self, number: int, line: str) -> str:
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
        return line

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

    def _undecodable(self, line: int, byte: int | None = None, column: int = 0, sample: bytes = b"") -> InputError:
        if byte is None or not self.encoding.startswith("utf-8"):
            return self.refusal(
                N_("Line {line} is not {encoding} text."),
                line,
                next=N_("Name another encoding, or save the file as UTF-8."),
                encoding=self.encoding,
            )
        likely = suggested(sample)
        return self.refusal(
            N_("Line {line} is not UTF-8 text: byte {byte} at position {column}."),
            line,
            allowed=N_("UTF-8 and UTF-16 are recognised."),
            next=N_("It looks like {suggested}: name that encoding if it is, or save the file as UTF-8.")
            if likely
            else N_("Save the file as UTF-8, or name its encoding, such as cp1252 (Windows programs)."),
            byte=f"0x{byte:02x}",
            column=column,
            suggested=likely,
        )


def open_file(path: str | Path, *, name: str = "", said: Said | None = None) -> File:
    """Look at a file without reading it: format by suffix or as said, encoding by the first bytes or as said.

    `name` is what sentences call it. Returns a `Text` for the formats that are text. Raises InputError for what
    is missing, empty, too large, or of no known format.
    """
    path, said = Path(path), said or Said()
    name = name or path.name
    size = _regular_size(path, name)
    with open(path, "rb") as file:
        head = file.read(512)
    form = FORMATS.get(path.suffix.lower(), said.format)
    _check_format(form, head, name)
    if form in _MAGIC:
        found = File(path, name, form, said)
    else:
        form = said.format or form
        found = Text(path, name, form, said, said.encoding or marked(head) or "utf-8")
    limit = limits.JSON_BYTES if form == "json" else limits.FILE_BYTES
    if size > limit:
        raise found.refusal(
            N_("{name} has {size:.1f} GiB."),
            allowed=N_("Allowed: up to {limit:g} GiB."),
            next=N_("Split the file, or write it as JSONL.") if form == "json" else N_("Split the file."),
            name=name,
            size=size / 2**30,
            limit=limit / 2**30,
        )
    return found


def _regular_size(path: Path, name: str) -> int:
    try:
        facts = path.stat()
    except OSError as error:
        raise InputError(
            N_("The file {name} cannot be read: {why}."),
            where=name,
            next=N_("Check the path and that you may read it."),
            name=name,
            why=error.strerror or "unknown",
        ) from None
    if not stat.S_ISREG(facts.st_mode):
        raise InputError(
            N_("{name} is not a file."),
            where=name,
            allowed=_ALLOWED,
            next=N_("Name one file, not a folder."),
            name=name,
        )
    if facts.st_size == 0:
        raise InputError(N_("The file {name} is empty."), where=name, next=N_("Choose a file with rows."), name=name)
    return facts.st_size


def _check_format(form: str, head: bytes, name: str) -> None:
    magic = _MAGIC.get(form, b"")
    if magic and not head.startswith(magic):
        raise InputError(
            N_("{name} does not begin as a {format} file does."),
            where=name,
            next=N_("Give the file the suffix of what it is, such as .csv."),
            name=name,
            format=form,
        )
    what = "" if magic else what_it_is(head)
    if what:
        raise InputError(
            N_("{name} is a {what}, not what its name says."),
            where=name,
            allowed=_ALLOWED,
            next=N_("Unpack or convert it first, and give the file inside."),
            name=name,
            what=what,
        )
    if not form:
        raise InputError(
            N_("{name} has no format that the lab reads."),
            where=name,
            allowed=_ALLOWED,
            next=N_("Save the data in one of these formats."),
            name=name,
        )
