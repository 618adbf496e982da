"""CSV and TSV, read strictly: no value is guessed, and a row that does not fit is named by its line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from lab.data import limits
from lab.data.files import Text
from lab.data.roles import known_name
from lab.data.table import Table
from lab.errors import InputError
from lab.text import N_

_DELIMITERS = ",;\t|"
_PIECES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NUMBER = re.compile(r"[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?")
_SAMPLED = 200  # lines
_LONG_NAME = 60  # characters; what is longer is a sentence, not the name of a column


def read_csv(text: Text) -> Table:
    """The rows of a CSV or TSV file as text.

    The delimiter is found. Raises InputError, at once or while rows are read, for a quotation mark that is
    not closed, a row with too few or too many cells, two columns of one name, and a cell, row or file beyond
    the limits.
    """
    csv.field_size_limit(limits.CELL_CHARACTERS)
    sample = list(islice(_pieces(text), _SAMPLED))
    if not any(piece.strip() for piece in sample):
        raise text.refusal(N_("{name} has no content."), next=N_("Choose a file with rows."), name=text.name)
    delimiter = "\t" if text.format == "tsv" and "\t" in sample[0] else _delimiter(sample)
    quoted = delimiter != "\t" or _quotes_hold(text)
    records = _records(text, delimiter, quoted)
    _, header = next(records)
    table = Table("tsv" if delimiter == "\t" else "csv", text.encoding, iter(()), delimiter)
    if not quoted:
        table.tell(N_("Quotation marks are part of the text in this file."), None)
    if _has_no_names(header, sample, delimiter, quoted):
        records = chain([(1, header)], records)
        header = [f"column_{i}" for i in range(1, len(header) + 1)]
        table.tell(
            N_("The first line holds no column names; the columns are called {names}."),
            1,
            names=", ".join(header),
        )
    table.columns = _names(text, header)
    table.rows = _rows(text, table, records)
    return table


def _pieces(text: Text) -> Iterator[str]:
    for line in text.lines():
        yield from _PIECES.findall(line) if "\r" in line else (line,)


def _delimiter(sample: list[str]) -> str:
    """The delimiter that cuts most sampled rows into as many cells as the header, at least two."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in _lenient(sample, delimiter) if row]
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _lenient(sample: list[str], delimiter: str, quoted: bool = True) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(
            sample, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        ):
            rows.append(row)
    except csv.Error:
        pass  # what was read up to here is enough for a guess; reading in earnest names the line
    return rows


def _quotes_hold(text: Text) -> bool:
    """Whether quotation marks in a TSV file mean what they mean in CSV; many such files have them as plain
    text.
    """
    width = 0
    try:
        for _, row in _records(text, "\t", True):
            width = width or len(row)
            if len(row) != width:
                return False
    except InputError:
        return False
    return True


def _records(text: Text, delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of every record that is not blank."""
    reader = csv.reader(
        _pieces(text),
        delimiter=delimiter,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _broken(text, start, str(error)) from None
        if any(cell.strip() for cell in cells) or len(cells) > 1:
            yield start, cells


def _broken(text: Text, line: int, why: str) -> InputError:
    if "field larger" in why:
        return text.refusal(
            N_("Line {line}: a cell has more than {limit:,} characters."),
            line,
            next=N_("Shorten the text, or check that a quotation mark is not missing."),
            limit=limits.CELL_CHARACTERS,
        )
    return text.refusal(
        N_(
            "The row that begins on line {line} has a quotation mark that is not closed, or text after the "
            "closing one."
        ),
        line,
        next=N_('Within a quoted cell, write a quotation mark twice: "".'),
    )


def _has_no_names(header: list[str], sample: list[str], delimiter: str, quoted: bool) -> bool:
    """Whether the first record is data: a number, a whole sentence, or a value that its column repeats."""
    if any(known_name(name) for name in header):
        return False
    below = [row for row in _lenient(sample, delimiter, quoted)[1:] if len(row) == len(header)]
    again = any(name in {row[i] for row in below} for i, name in enumerate(header) if name.strip())
    return again or any(_NUMBER.fullmatch(name.strip()) or len(name) > _LONG_NAME for name in header)


def _names(text: Text, header: list[str]) -> list[str]:
    names = [name.strip() for name in header]
    if len(names) > limits.COLUMNS:
        raise text.refusal(
            N_("{name} has {count:,} columns."),
            1,
            allowed=N_("Allowed: up to {limit}."),
            next=N_("Leave out the columns that are not needed."),
            name=text.name,
            count=len(names),
            limit=limits.COLUMNS,
        )
    if names[0] == "" and "index" not in names and len(names) > 1:
        names[0] = "index"  # as pandas writes its row numbers
    for position, name in enumerate(names, 1):
        if not name:
            raise text.refusal(
                N_("Column {position} has no name."),
                1,
                next=N_("Name every column in the first line."),
                position=position,
            )
        if names.index(name) != position - 1:
            raise text.refusal(
                N_("Two columns are called {column}."),
                1,
                next=N_("Give every column its own name."),
                column=name,
            )
    return names


def _rows(
    text: Text, table: Table, records: Iterable[tuple[int, list[str]]]
) -> Iterator[tuple[int, dict[str, str]]]:
    width, count, formulas, first = len(table.columns), 0, 0, 0
    for line, cells in records:
        if len(cells) != width:
            raise _ragged(text, line, len(cells), width, table.delimiter)
        count += 1
        if count > limits.ROWS:
            raise too_many_rows(text, line)
        if any(cell[:1] in "=+-@\t\r" and _is_formula(cell) for cell in cells if cell):
            formulas, first = formulas + 1, first or line
        yield line, dict(zip(table.columns, cells, strict=True))
    if formulas:
        table.tell(
            N_("{count} rows hold a cell that a spreadsheet would run as a formula; it is kept as text."),
            first,
            count=formulas,
        )
    if not count:
        raise text.refusal(
            N_("{name} has column names but no rows."), next=N_("Choose a file with rows."), name=text.name
        )


def too_many_rows(text: Text, line: int) -> InputError:
    """The error for a file with too many rows."""
    return text.refusal(
        N_("{name} has more than {limit:,} rows."),
        line,
        next=N_("Split the file."),
        name=text.name,
        limit=limits.ROWS,
    )


def _ragged(text: Text, line: int, cells: int, columns: int, delimiter: str) -> InputError:
    return text.refusal(
        N_("The row on line {line} has {cells} cells, but there are {columns} columns."),
        line,
        next=N_(
            "Put a text with the delimiter {delimiter} in it between quotation marks, or correct the row."
        ),
        cells=cells,
        columns=columns,
        delimiter={"\t": "TAB"}.get(delimiter, delimiter),
    )


def _is_formula(cell: str) -> bool:
    return not _NUMBER.fullmatch(cell) and cell[1:2] not in ("", " ", "-")  # "- a list", "--- a line" are not
