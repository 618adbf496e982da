"""CSV and TSV, read strictly: no value is guessed, and a row that does not fit is named by its line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from lab.data import limits
from lab.data.files import File, Text
from lab.data.readers.dialect import NUMBER, Dialect, find_delimiter, find_quote, has_no_names
from lab.data.readers.pieces import pieces
from lab.data.rendered import OTHER_WIDTH
from lab.data.said import NO_QUOTES
from lab.data.table import Table
from lab.errors import InputError
from lab.text import N_

_SAMPLED = 200  # lines


def read_csv(text: Text) -> Table:
    """The rows of a CSV or TSV file as text.

    Delimiter and quotation mark are as said, or found. A row with too few or too many cells is left out as long
    as such rows are few (`limits.RAGGED_SHARE`). Raises InputError, at once or while rows are read, for more of
    them, a quotation mark that is not closed, two columns of one name, and a cell, row or file beyond the limits.
    """
    csv.field_size_limit(limits.CELL_CHARACTERS)
    sample = list(islice(pieces(text), _SAMPLED))
    if not any(piece.strip() for piece in sample):
        raise text.refusal(N_("{name} has no content."), next=N_("Choose a file with rows."), name=text.name)
    dialect = _dialect(text, sample)
    records = _records(text, dialect)
    _, header = next(records)
    table = Table("tsv" if dialect.delimiter == "\t" else "csv", text.encoding, iter(()), dialect.delimiter)
    table.quote = dialect.quote or NO_QUOTES
    if not dialect.quote and not text.said.quote:
        table.tell(N_("Quotation marks are part of the text in this file."), None)
    if has_no_names(header, sample, dialect):
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


def _dialect(text: Text, sample: list[str]) -> Dialect:
    said = text.said
    quote = "" if said.quote == NO_QUOTES else said.quote or find_quote(sample)
    if said.delimiter:
        delimiter = said.delimiter
    else:
        delimiter = "\t" if text.format == "tsv" and "\t" in sample[0] else find_delimiter(sample, quote)
    if delimiter == "\t" and not said.quote and not _quotes_hold(text, Dialect(delimiter, quote)):
        quote = ""
    return Dialect(delimiter, quote)


def _quotes_hold(text: Text, dialect: Dialect) -> bool:
    """Whether quotation marks in a TSV file mean what they mean in CSV; many such files have them as plain
    text.
    """
    width = 0
    try:
        for _, row in _records(text, dialect):
            width = width or len(row)
            if len(row) != width:
                return False
    except InputError:
        return False
    return True


def _records(text: Text, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of every record that is not blank."""
    reader = dialect.reader(pieces(text), strict=True)
    start = 1
    while True:
        try:
            for cells in reader:
                if len(cells) > 1 or any(cell.strip() for cell in cells):
                    yield start, cells
                start = reader.line_num + 1
        except csv.Error as error:
            raise _broken(text, start, str(error)) from None
        return


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
            "The row that begins on line {line} has a quotation mark that is not closed, or text after the closing one."
        ),
        line,
        next=N_(
            'Within a quoted cell, write a quotation mark twice: "". If quotation marks are plain text in this '
            "file, say so (quote: none)."
        ),
    )


def _names(text: Text, header: list[str]) -> list[str]:
    names = [name.strip() for name in header]
    if len(names) > limits.COLUMNS:
        raise too_many_columns(text, len(names))
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
                column=name[:60],
            )
    return names


def too_many_columns(file: File, count: int) -> InputError:
    """The error for a table that is too wide."""
    return file.refusal(
        N_("{name} has {count:,} columns."),
        1,
        allowed=N_("Allowed: up to {limit}."),
        next=N_("Leave out the columns that are not needed."),
        name=file.name,
        count=count,
        limit=limits.COLUMNS,
    )


def _rows(text: Text, table: Table, records: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, dict[str, str]]]:
    columns, width, count, formulas, first = table.columns, len(table.columns), 0, 0, 0
    other: tuple[int, int] | None = None
    for line, cells in records:
        if len(cells) != width:
            other = other or (line, len(cells))
            table.leave_out(OTHER_WIDTH, line)
            if table.dropped[OTHER_WIDTH] > limits.ROWS * limits.RAGGED_SHARE:
                break
            continue
        count += 1
        if count > limits.ROWS:
            raise too_many_rows(text, line)
        for cell in cells:
            if cell and cell[0] in "=+-@\t\r" and _is_formula(cell):
                formulas, first = formulas + 1, first or line
                break
        yield line, dict(zip(columns, cells, strict=True))
    ragged = table.dropped[OTHER_WIDTH]
    if other and ragged > count * limits.RAGGED_SHARE:
        raise _ragged(text, *other, width, table.delimiter, ragged)
    if formulas:
        table.tell(
            N_("{count} row holds a cell that a spreadsheet would run as a formula; it is kept as text.")
            if formulas == 1
            else N_("{count} rows hold a cell that a spreadsheet would run as a formula; it is kept as text."),
            first,
            count=formulas,
        )
    if not count:
        raise text.refusal(
            N_("{name} has column names but no rows."), next=N_("Choose a file with rows."), name=text.name
        )


def too_many_rows(file: File, line: int) -> InputError:
    """The error for a file with too many rows."""
    return file.refusal(
        N_("{name} has more than {limit:,} rows."),
        line,
        next=N_("Split the file."),
        name=file.name,
        limit=limits.ROWS,
    )


def _ragged(text: Text, line: int, cells: int, columns: int, delimiter: str, count: int) -> InputError:
    return text.refusal(
        N_("The row on line {line} has {cells} cells, but there are {columns} columns."),
        line,
        allowed=N_("Up to one row in {few} may be so and is then left out; here it is {count} in all."),
        next=N_(
            "Put a text with the delimiter {delimiter} in it between quotation marks, correct the row, or name "
            "another delimiter."
        ),
        cells=cells,
        columns=columns,
        count=count,
        few=round(1 / limits.RAGGED_SHARE),
        delimiter={"\t": "TAB"}.get(delimiter, delimiter),
    )


def _is_formula(cell: str) -> bool:
    return not NUMBER.fullmatch(cell) and cell[1:2] not in ("", " ", "-")  # "- a list", "--- a line" are not
