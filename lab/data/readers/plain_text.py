"""Plain text: a row is a paragraph, a line, or the whole file."""

from __future__ import annotations

from collections.abc import Iterator

from lab.data import limits
from lab.data.files import Text
from lab.data.readers.delimited import too_many_rows
from lab.data.readers.pieces import pieces
from lab.data.table import Table
from lab.errors import InputError
from lab.text import N_


def read_text(text: Text) -> Table:
    """The rows of a text file, in the one column `text`.

    What a row is was said, or is found: a paragraph where blank lines stand between lines, else a line. Raises
    InputError for a file without text, and for a row beyond the limit.
    """
    table = Table("txt", text.encoding, iter(()), columns=["text"])
    table.text_unit = text.said.text_unit or _found_unit(text)
    table.rows = _rows(text, table.text_unit)
    return table


def _found_unit(text: Text) -> str:
    seen, blank = False, False
    for line in pieces(text):
        if line.strip():
            if seen and blank:
                return "paragraph"
            seen = True
        else:
            blank = seen
    return "line"


def _rows(text: Text, unit: str) -> Iterator[tuple[int, dict[str, str]]]:
    count = 0
    for line, block in _blocks(text, unit):
        count += 1
        if count > limits.ROWS:
            raise too_many_rows(text, line)
        yield line, {"text": block}
    if not count:
        raise text.refusal(N_("{name} has no content."), next=N_("Choose a file with text."), name=text.name)


def _blocks(text: Text, unit: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of every block that is not blank; ends of lines become LF."""
    block: list[str] = []
    start, size = 1, 0
    for number, piece in enumerate(pieces(text), 1):
        line = piece.rstrip("\r\n")
        blank = not line.strip()
        if block and (unit == "line" or (unit == "paragraph" and blank)):
            yield start, "\n".join(block)
            block, size = [], 0
        if blank and (unit != "file" or not block):
            continue
        if not block:
            start = number
        block.append(line)
        size += len(line) + 1
        if size > limits.CELL_CHARACTERS + 1:
            raise _too_long(text, start, unit)
    if block:
        yield start, "\n".join(block).rstrip()


def _too_long(text: Text, line: int, unit: str) -> InputError:
    smaller = {"file": N_("Read it by paragraphs or lines."), "paragraph": N_("Read it by lines.")}
    return text.refusal(
        N_("The text that begins on line {line} has more than {limit:,} characters."),
        line,
        next=smaller.get(unit, N_("Split the line.")),
        limit=limits.CELL_CHARACTERS,
    )
