"""Decoding one JSON value so strictly that nothing changes its meaning on the way."""

from __future__ import annotations

import json
import math
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from lab.data import limits
from lab.data.files import Text
from lab.errors import InputError
from lab.text import N_

_TOO_DEEP = N_("Line {line} is nested deeper than {limit} levels.")
_ROW_TOO_DEEP = N_("Row {line} is nested deeper than {limit} levels.")
_FLATTEN = N_("Put the texts into the columns of a row.")


class Flaw(Exception):
    """A value that only lenient readers take; `line` is added by whoever knows it.

    `template` is a sentence about a line, `by_row` the same about a row.
    """

    def __init__(self, template: str, by_row: str = "", **values: object) -> None:
        super().__init__(template)
        self.template, self.by_row, self.values = template, by_row or template, values


def flaw_of(value: Any) -> Flaw | None:
    """What is wrong with a decoded value: too deep, too long, a NUL character, half a character; None if nothing."""
    try:
        _check(value, 0)
    except Flaw as flaw:
        return flaw
    return None


def decode_cell(value: str) -> Any:
    """JSON inside a cell of a CSV file, as strictly; None when it is not JSON."""
    try:
        found = _DECODER.decode(value)
        _check(found, 0)
    except (Flaw, ValueError, RecursionError):
        return None
    return found


def decode(text: Text, document: str, position: int, line: int, *, one_line: bool = False) -> tuple[Any, int]:
    """The JSON value at `position` and the position behind it.

    `line` is the line on which the value begins; with `one_line` the document is that line. Raises
    InputError.
    """
    try:
        value, end = _DECODER.raw_decode(document, position)
        _check(value, 0)
        return value, end
    except Flaw as flaw:
        if "value" in flaw.values:
            line += _lines_before(document, position, str(flaw.values["value"]))
        raise text.refusal(flaw.template, line, **flaw.values) from None
    except RecursionError:
        raise text.refusal(_TOO_DEEP, line, next=_FLATTEN, limit=limits.DEPTH) from None
    except json.JSONDecodeError as error:
        at = min(error.pos, len(document.rstrip()))  # what is missing at the end is missing behind the last character
        found = line if one_line else 1 + document.count("\n", 0, at)
        raise not_json(text, found, error.msg, at - document.rfind("\n", 0, at)) from None
    except ValueError:  # int() refuses more digits than it can convert in reasonable time
        raise text.refusal(
            N_("Line {line} holds a number with too many digits."),
            line,
            next=N_("Write it between quotation marks, as text."),
        ) from None


def _lines_before(document: str, position: int, literal: str) -> int:
    """The line ends between `position` and the first `literal` behind it that is not within a text."""
    for match in re.finditer(r'"(?:\\.|[^"\\])*"|' + re.escape(literal), document[position:]):
        if not match[0].startswith('"'):
            return document.count("\n", position, position + match.start())
    return 0


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth >= limits.DEPTH:
            raise Flaw(_TOO_DEEP, _ROW_TOO_DEEP, next=_FLATTEN, limit=limits.DEPTH)
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth + 1)
        if isinstance(value, dict):
            for name in value:
                _check_text(name)


def _check_text(value: str) -> None:
    if len(value) > limits.CELL_CHARACTERS:
        raise Flaw(
            N_("Line {line}: a text has more than {limit:,} characters."),
            N_("Row {line}: a text has more than {limit:,} characters."),
            next=N_("Shorten or split the text."),
            limit=limits.CELL_CHARACTERS,
        )
    if value.isascii() and "\0" not in value:
        return
    if "\0" in value:
        raise Flaw(
            N_("Line {line} contains a NUL character, which is not text."),
            N_("Row {line} contains a NUL character, which is not text."),
            next=N_("Take it out."),
        )
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Flaw(
            N_("Line {line} contains half of a character (a lone surrogate)."),
            N_("Row {line} contains half of a character (a lone surrogate)."),
            next=N_("Write the whole character or none."),
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Flaw(
            N_("Line {line}: the key {key} stands twice in one object."),
            next=N_("Keep one of the two."),
            key=twice[:80],
        )
    return found


def _constant(name: str) -> float:
    raise Flaw(
        N_("Line {line} holds {value}, which is not JSON."),
        value=name,
        next=N_("Write null, or leave the key out."),
    )


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Flaw(
            N_("Line {line} holds {value}, which is larger than any number here."),
            next=N_("Write it between quotation marks, as text."),
            value=digits[:40],
        )
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)


def skip_string(document: str, position: int) -> int:
    """The position behind the JSON text that begins at `position`; it has been decoded before."""
    return int(scanstring(document, position + 1, True)[1])


def skip_value(document: str, position: int) -> int:
    """The position behind the JSON value that begins at `position`; it has been decoded before."""
    return _DECODER.raw_decode(document, position)[1]


def not_json(text: Text, line: int, why: str, column: int) -> InputError:
    """The error for a line that is not JSON; `column` counts from 1, 0 leaves it out."""
    where = {"column": column} if column else {}
    sentence = (
        N_("Line {line} is not JSON: {why} (column {column}).") if column else N_("Line {line} is not JSON: {why}.")
    )
    return text.refusal(sentence, line, next=N_("Correct this line; the lab does not skip it."), why=why, **where)
