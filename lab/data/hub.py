"""A data set of the Hub, by its id: plain columns only, no code, no files that a row points to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from lab.data import limits
from lab.data.canonical import PARTS, WrongValue, canonical
from lab.data.kinds import Found, find, unknown_columns
from lab.data.options import Options
from lab.data.rendered import Unrenderable
from lab.data.roles import TRAINABLE
from lab.data.source import Source
from lab.errors import InputError
from lab.text import N_


def hub_source(name: str, options: Options) -> Source:
    """The rows of all parts of a data set on the Hub; its own split is kept.

    Raises InputError when it cannot be loaded, has no known column, or holds a kind that is not trained on.
    """
    return source_of(name, _loaded(name), options)


def source_of(name: str, loaded: Mapping[str, Any], options: Options) -> Source:
    """The rows of loaded parts (part -> datasets.Dataset). Raises InputError as `hub_source` does."""
    parts = {part: _plain_columns(data) for part, data in loaded.items()}
    total = sum(len(data) for data in parts.values())
    if total > limits.ROWS:
        raise _refusal(N_("{name} has more than {limit:,} rows."), name, limit=limits.ROWS)
    first = next(iter(parts.values()))
    sample = list(islice(first, limits.SAMPLE))
    found = find(first.column_names, sample, options.columns, options.kind)
    if found is None:
        raise unknown_columns(first.column_names, sample, name)
    if found.kind not in TRAINABLE:
        raise _refusal(
            N_("{name} holds data of the kind {kind}; this version of the lab does not train on it yet."),
            name,
            kind=found.kind,
        )
    rows, dropped = _canonical(name, parts, found)
    return Source(name, found.kind, rows, found.mapping, total, dropped)


def _loaded(name: str) -> Mapping[str, Any]:
    import datasets

    datasets.disable_progress_bars()
    try:
        # Only the files of this repository: nothing runs, and a local folder of the same name is never taken.
        return datasets.load_dataset(name, streaming=False)
    except Exception as error:  # the library raises dozens of kinds, down to those of its HTTP client
        raise _refusal(
            N_("The data set {name} cannot be loaded from the Hub: {why}"),
            name,
            next=N_("Check its id and your connection, or download a file of it and give that."),
            why=(str(error).strip().split("\n")[0] or type(error).__name__)[:200],
        ) from error


def _plain_columns(data: Any) -> Any:
    """The data set without columns of images, sounds and the like, whose reading would open files."""
    return data.select_columns([name for name, feature in data.features.items() if _is_plain(feature)])


def _is_plain(feature: Any) -> bool:
    if isinstance(feature, Mapping):
        return all(_is_plain(item) for item in feature.values())
    if isinstance(feature, list | tuple):
        return all(_is_plain(item) for item in feature)
    if type(feature).__name__ in ("List", "LargeList", "Sequence"):
        return _is_plain(feature.feature)
    return type(feature).__name__ in ("Value", "ClassLabel")


def _canonical(
    name: str, parts: Mapping[str, Any], found: Found
) -> tuple[list[dict[str, Any]], Counter[str]]:
    rows, dropped = [], Counter[str]()
    named = len(parts) > 1
    for number, (part, row) in enumerate(_all(parts), 1):
        try:
            values = canonical(row, found)
        except Unrenderable as refusal:
            dropped[refusal.reason] += 1
            continue
        except WrongValue as wrong:
            raise _refusal(
                N_("Row {row} of {name}: the column {column} holds {what} where text is expected."),
                name,
                row=number,
                column=wrong.column,
                what=wrong.what,
            ) from None
        values.pop("split", None)
        rows.append(values | ({"split": PARTS.get(part.lower(), "train")} if named else {}))
    return rows, dropped


def _all(parts: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part, data in parts.items():
        for row in data:
            yield part, row


def _refusal(sentence: str, name: str, /, *, next: str = "", **values: Any) -> InputError:
    return InputError(sentence, where="data.source", next=next, name=name, **values)
