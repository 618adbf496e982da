"""How a person says that a file is to be read, where the lab would find something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.data.encodings import ENCODINGS
from lab.errors import InputError
from lab.text import N_

NO_QUOTES = "none"
UNITS = ("paragraph", "line", "file")
TEXT_FORMATS = ("csv", "tsv", "json", "jsonl", "txt", "conll")
_BY_NAME = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_FIELDS = ("encoding", "delimiter", "quote", "text_unit", "format")


@dataclass(frozen=True)
class Said:
    """What was said about a file; an empty field is found by looking at the file.

    `delimiter` is one character, `quote` one character or "none", `text_unit` (what a row of a plain text is)
    one of `UNITS`, `format` one of `TEXT_FORMATS`, `encoding` one of `ENCODINGS`.
    """

    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    text_unit: str = ""
    format: str = ""

    @classmethod
    def of(cls, request: Mapping[str, Any], name: str = "") -> Said:
        """The fields in a request, checked. Raises InputError for a value that is not allowed."""
        given = {field: str(request.get(field) or "") for field in _FIELDS}
        given["encoding"] = _encoding(given["encoding"])
        given["delimiter"] = _BY_NAME.get(given["delimiter"].lower(), given["delimiter"])
        said = cls(**given)
        _one_of("encoding", said.encoding, ENCODINGS, name)
        _one_of("text_unit", said.text_unit, UNITS, name)
        _one_of("format", said.format, TEXT_FORMATS, name)
        _character("delimiter", said.delimiter, name)
        if said.quote != NO_QUOTES:
            _character("quote", said.quote, name)
        if said.quote and said.quote == said.delimiter:
            raise _refusal("quote", said.quote, N_("It is the delimiter, too."), name)
        return said


def _encoding(given: str) -> str:
    return given.strip().lower().replace("_", "-").replace("shift-jis", "shift_jis")


def _one_of(field: str, value: str, allowed: tuple[str, ...], name: str) -> None:
    if value and value not in allowed:
        raise InputError(
            N_("The lab does not know the {field} {value}."),
            where=name,
            allowed=N_("Allowed: {choices}."),
            next=N_("Leave it out to have it found."),
            field=field.replace("_", " "),
            value=value[:40],
            choices=", ".join(allowed),
        )


def _character(field: str, value: str, name: str) -> None:
    if value and (len(value) != 1 or value.isalnum() or value in "\r\n\0"):
        raise _refusal(field, value, N_("Allowed: one character that is no letter and no digit."), name)


def _refusal(field: str, value: str, allowed: str, name: str) -> InputError:
    return InputError(
        N_("{value} cannot be the {field} of a file."),
        where=name,
        allowed=allowed,
        next=N_("Leave it out to have it found, or name another one, such as ; or tab."),
        field=field,
        value=repr(value[:20]),
    )
