"""Which files of a data set of the Hub are its rows, and which part each one is: by its card, else by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from lab.data import limits
from lab.data.canonical import PARTS
from lab.data.files import FORMATS
from lab.errors import InputError
from lab.runs.network import HubData
from lab.text import N_

READABLE = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
_NO_ROWS = re.compile(r"(dataset_infos?|state|package|croissant)\.json|(license|readme|requirements|notice)\.txt", re.I)
_CONVERTED = re.compile(r"([^/]+)/(?:partial-)?[^/]+/\d+\.parquet")  # the Hub's own copies: config/split/0000.parquet
_PARTS = PARTS | {"evaluation": "validation"}
_SHOWN = 20  # names in a sentence
Patterns = list[tuple[str, list[str]]]  # a split's name, or "", and its patterns


@dataclass(frozen=True)
class Layout:
    """What is to be read: path -> part ("" where none is named), out of `config` ("" for the whole data set)."""

    files: dict[str, str]
    config: str = ""
    left_out: list[str] = field(default_factory=list)


def layout(wanted: HubData, sizes: Mapping[str, int], configs: Any) -> Layout:
    """The files to read, out of all (path -> bytes); `configs` is that of the data set's card, or None.

    Raises InputError where a configuration has to be chosen, nothing can be read, or it is too large.
    """
    readable = {path: size for path, size in sizes.items() if _is_readable(path)}
    declared = _declared(configs) or _converted(readable)
    if wanted.config and wanted.config not in declared:
        raise _unknown_config(wanted, declared)
    config = wanted.config or _default(wanted, declared, configs)
    files = _by_card(declared[config], readable) if declared.get(config) else _by_names(readable)
    if not files:
        raise _nothing(wanted, sizes)
    parts = set(files.values())
    if len(parts) == 1:  # one part is no split
        files = dict.fromkeys(files, "")
    _check_size(wanted, {path: readable[path] for path in files})
    return Layout(files, config, sorted(readable.keys() - files.keys()))


def part_of(words: str) -> str:
    """The part that a split's name or a file's name speaks of; empty when it speaks of none."""
    named = [_PARTS[word] for word in re.split(r"[^a-z]+", words.lower()) if word in _PARTS]
    return named[0] if named else ""


def _is_readable(path: str) -> bool:
    place = PurePosixPath(path)
    hidden = any(part.startswith(".") for part in place.parts)
    return place.suffix.lower() in READABLE and not hidden and not _NO_ROWS.fullmatch(place.name)


def _by_names(readable: Mapping[str, int]) -> dict[str, str]:
    """Files of the most frequent format; where some name a part, only these."""
    if not readable:
        return {}
    forms = Counter(_form(path) for path in sorted(readable))
    form = forms.most_common(1)[0][0]
    parts = {path: _part_in(path) for path in sorted(readable) if _form(path) == form}
    return {path: part for path, part in parts.items() if part or not any(parts.values())}


def _part_in(path: str) -> str:
    place = PurePosixPath(path)
    return next(filter(None, map(part_of, (place.stem, *reversed(place.parts[:-1])))), "")


def _form(path: str) -> str:
    return FORMATS[PurePosixPath(path).suffix.lower()]


def _by_card(patterns: Patterns, readable: Mapping[str, int]) -> dict[str, str]:
    """The files that the card names; splits whose name is no known part go where others have one."""
    found: dict[str, tuple[str, str]] = {}
    for split, wanted in patterns:
        matching = [path for path in sorted(readable) if any(_glob(one).fullmatch(path) for one in wanted)]
        for path in matching:
            found.setdefault(path, (split, part_of(split) if split else _part_in(path)))
    several = any(part for _, part in found.values())
    return {path: part for path, (_, part) in found.items() if part or not several}


def _glob(pattern: str) -> re.Pattern[str]:
    """A pattern as the Hub's cards write them: * within a folder, ** through folders."""
    pattern = pattern.removeprefix("./")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def _declared(configs: Any) -> dict[str, Patterns]:
    """Name -> splits of the configurations in a card; one without files of its own takes all by their names."""
    declared: dict[str, Patterns] = {}
    for config in configs if isinstance(configs, list) else []:
        if isinstance(config, dict) and isinstance(config.get("config_name", "default"), str):
            name = config.get("config_name", "default")
            folder = config.get("data_dir")
            within = [("", [f"{str(folder).strip('/')}/**"])] if folder else []
            declared[name] = _patterns(config.get("data_files")) or within
    return declared


def _patterns(files: Any) -> Patterns:
    if isinstance(files, str):
        return [("", [files])]
    if isinstance(files, dict):
        return [(str(split), list(_texts(paths))) for split, paths in files.items()]
    found: Patterns = []
    for item in files if isinstance(files, list) else []:
        named = isinstance(item, dict)
        found.append(
            (str(item.get("split", "")), list(_texts(item.get("path")))) if named else ("", list(_texts(item)))
        )
    return found


def _texts(value: Any) -> Iterable[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _converted(readable: Mapping[str, int]) -> dict[str, Patterns]:
    found = [_CONVERTED.fullmatch(path) for path in sorted(readable)]
    if not all(found):
        return {}
    names = dict.fromkeys(one[1] for one in found if one and not part_of(one[1]))
    return {name: [("", [f"{name}/**"])] for name in names}


def _default(wanted: HubData, declared: Mapping[str, Patterns], configs: Any) -> str:
    """The configuration that is meant when none is named. Raises InputError when one has to be chosen."""
    names = list(declared)
    if len(names) < 2:
        return names[0] if names else ""
    said = [one.get("config_name") for one in configs or [] if isinstance(one, dict) and one.get("default") is True]
    if said or "default" in names:
        return str(said[0]) if said else "default"
    raise InputError(
        N_("{name} has several configurations; one has to be chosen."),
        where="data.source",
        allowed=N_("Allowed: {choices}."),
        next=N_("Write its name after a colon: {example}."),
        name=wanted.id,
        choices=_listed(names),
        example=f"{wanted.id}:{names[0]}",
    )


def _unknown_config(wanted: HubData, declared: Mapping[str, Patterns]) -> InputError:
    return InputError(
        N_("{name} has no configuration {config}."),
        where="data.source",
        allowed=N_("Allowed: {choices}.") if declared else "",
        next=N_("Name one of these after the colon.") if declared else N_("Leave it out: the data set has none."),
        name=wanted.id,
        config=wanted.config,
        choices=_listed(declared),
    )


def _nothing(wanted: HubData, sizes: Mapping[str, int]) -> InputError:
    script = f"{wanted.id.rpartition('/')[2]}.py"
    if script in sizes and not any(_is_readable(path) for path in sizes):
        return InputError(
            N_("The data set {name} is made by a program ({script}), and the lab never runs a program of the Hub."),
            where="data.source",
            next=N_("Try the copy that the Hub made of it, {copy}, or download its rows and give the file."),
            name=wanted.id,
            script=script,
            copy=f"{wanted.id}@refs/convert/parquet",
        )
    endings = Counter(PurePosixPath(path).suffix.lower() or path for path in sizes)
    return InputError(
        N_("{name} has no file of rows that the lab reads; it has {endings}."),
        where="data.source",
        allowed=N_("Allowed: {choices}."),
        next=N_("Download its files, write their rows as one of these, and give that."),
        name=str(wanted),
        endings=_listed([ending for ending, _ in endings.most_common()]) or "-",
        choices=", ".join(READABLE),
    )


def _check_size(wanted: HubData, files: Mapping[str, int]) -> None:
    total = sum(files.values())
    if total <= limits.HUB_BYTES and len(files) <= limits.HUB_FILES:
        return
    raise InputError(
        N_("{name} is too large: {files:,} files with {size:.1f} GiB."),
        where="data.source",
        allowed=N_("Allowed: up to {most:,} files with {limit:g} GiB."),
        next=N_("Name a smaller configuration, or download a file of it and give that."),
        name=str(wanted),
        files=len(files),
        size=total / 2**30,
        most=limits.HUB_FILES,
        limit=limits.HUB_BYTES / 2**30,
    )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
