"""Reading a setup of the lab, TRL, Axolotl or LLaMA-Factory from YAML: what is understood, and what is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lab.catalogue.exchange import converters
from lab.catalogue.exchange.document import read_document
from lab.catalogue.exchange.foreign import foreign
from lab.catalogue.exchange.imported import Imported, Note
from lab.catalogue.exchange.signs import method_of, signs_of
from lab.catalogue.exchange.tables import TABLES
from lab.errors import InputError, InputErrors
from lab.spec import RunSpec, build, settings
from lab.text import N_

OWN = "lab"
READ_OF_A_DATASET = ("path", "data_files", "type", "split", "ds_type", "field_messages")


def read_setup(text: str, *, where: str = "file") -> Imported:
    """Read a setup, whichever tool it was written for.

    What is not understood becomes a note at its key, and the rest is read. Raises InputError for a text that is not
    YAML, is no mapping, or has no key that any of the tools knows.
    """
    document, lines = read_document(text, where)
    tool = recognise(document, where)
    if tool == OWN:
        return _own(document, lines)
    values, origins, notes = _translated(document, tool, lines)
    spec, wrong = _built(_assumed(tool, values) | values, origins, lines)
    for note in wrong:
        values.pop(str(note.values["path"]), None)
    assumed = _assumed(tool, values)
    if wrong:
        spec = build(_tree(assumed | values))  # the tool's own value in place of the wrong one
    if not spec.model.source:
        notes.append(Note("", 1, "wrong value", N_("The file names no model; choose one.")))
    return Imported(tool, spec, values, assumed, wrong + notes, signs_of(tool, document))


def recognise(document: Mapping[str, Any], where: str = "file") -> str:
    """Whose setup this is: lab, trl, axolotl or llamafactory. A key counts the more, the fewer tools know it.

    Raises InputError when nobody knows any of its keys.
    """
    known = {OWN: frozenset(RunSpec.model_fields) | {setting.path for setting in settings()}}
    known |= {tool: foreign(tool).fields for tool in TABLES}
    score = {
        tool: sum(1 / sum(key in other for other in known.values()) for key in document if key in fields)
        for tool, fields in known.items()
    }
    best = max(score, key=lambda tool: score[tool])
    if score[best] == 0:
        raise InputError(
            N_("No key of this file belongs to a setup of the lab, TRL, Axolotl or LLaMA-Factory."),
            where=where,
            next=N_("Give a YAML file with keys such as learning_rate."),
        )
    return best


def _translated(
    document: Mapping[str, Any], tool: str, lines: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, str], list[Note]]:
    """The settings that the file states, the key that each comes from, and what is not understood."""
    table, values, notes = TABLES[tool], dict[str, Any](), list[Note]()
    origins: dict[str, str] = {}
    for key, value in document.items():
        converter = table.keys.get(key)
        if converter is not None:
            try:
                found = converter(_plain(value))
                values |= found
                origins |= dict.fromkeys(found, key)
            except converters.NoCounterpart as why:
                notes.append(Note(key, lines.get(key, 1), "no place", why.template, why.values))
            except (TypeError, ValueError, AttributeError):
                notes.append(_wrong(key, value, lines))
        elif key not in table.beside:
            notes.append(_unplaced(key, tool, lines))
        if key in ("dataset", "datasets"):
            notes += _more_datasets(key, value, lines) + _below_datasets(value, tool, lines)
    values |= method_of(tool, document, values)
    return values, origins, notes


def _assumed(tool: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool takes where its file says nothing; no model and no data set is never ours."""
    assumed = {path: default for path, default in TABLES[tool].defaults.items() if path not in values}
    assumed |= {path: "" for path in ("model.source", "data.source") if path not in values}
    if tool == "llamafactory" and "method.alpha" not in values:
        assumed["method.alpha"] = 2 * values.get("method.rank", 8)
    return assumed


def _unplaced(key: str, tool: str, lines: Mapping[str, int]) -> Note:
    known = foreign(tool)
    inside = key.rpartition(".")[0]
    if key in known.fields:
        return Note(key, lines.get(key, 1), "no place", N_("The lab has no setting for {key}; it is left out."),
                    {"key": key})  # fmt: skip
    near = _nearest(key, {name for name in known.fields if name.rpartition(".")[0] == inside}).rpartition(".")[2]
    sentence = N_("{tool} has no {key}; did you mean {near}?") if near else N_("{tool} has no {key}; it is left out.")
    return Note(key, lines.get(key, 1), "unknown", sentence, {"tool": known.release, "key": key, "near": near}, near)


def _own(document: Mapping[str, Any], lines: Mapping[str, int]) -> Imported:
    known = {setting.path for setting in settings()}
    values, notes = dict[str, Any](), list[Note]()
    for path, value in _flat(document):
        if path in known:
            values[path] = value
        elif path != "schema_version":
            near = _nearest(path, known)
            sentence = N_("There is no setting called {key}; did you mean {near}?")
            if not near:
                sentence = N_("There is no setting called {key}; it is left out.")
            line = lines.get(path.partition(".")[0], 1)
            notes.append(Note(path, line, "unknown", sentence, {"key": path, "near": near}, near))
    spec, wrong = _built(values, {}, lines)
    for note in wrong:
        values.pop(str(note.values["path"]), None)
    return Imported(OWN, spec, values, {}, wrong + notes, {})


def _built(
    values: Mapping[str, Any], origins: Mapping[str, str], lines: Mapping[str, int]
) -> tuple[RunSpec, list[Note]]:
    """The spec of these values; each that no spec can hold is left at its default and noted."""
    kept, notes = dict(values), list[Note]()
    while True:
        try:
            return build(_tree(kept)), notes
        except InputErrors as errors:
            for problem in errors.problems:
                path = next((name for name in kept if name == problem.where or problem.where.startswith(name)), None)
                if path is None:
                    raise
                del kept[path]
                key = origins.get(path, path)
                notes.append(
                    Note(key, lines.get(key, lines.get(path.partition(".")[0], 1)), "wrong value", problem.template,
                         {"path": path, **problem.values}),
                )  # fmt: skip


def _wrong(key: str, value: Any, lines: Mapping[str, int]) -> Note:
    return Note(key, lines.get(key, 1), "wrong value", N_("{value} is not a valid value for {path}."),
                {"value": str(value)[:80], "path": key})  # fmt: skip


def _more_datasets(key: str, value: Any, lines: Mapping[str, int]) -> list[Note]:
    count = len(value) if isinstance(value, list) else str(value).count(",") + 1
    if count < 2:
        return []
    return [Note(key, lines.get(key, 1), "no place", N_("{count} data sets are mixed; the lab takes the first."),
                 {"count": count})]  # fmt: skip


def _below_datasets(value: Any, tool: str, lines: Mapping[str, int]) -> list[Note]:
    """What the first data set says that is not read."""
    entry = value[0] if isinstance(value, list) and value else None
    if not isinstance(entry, Mapping):
        return []
    names = [f"datasets.{name}" for name in entry if name not in READ_OF_A_DATASET]
    return [replace(_unplaced(name, tool, lines), line=lines.get("datasets", 1)) for name in names]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    groups = {setting.group for setting in settings()}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and path in groups:
            yield from _flat(value, f"{path}.")
        else:
            yield path, _plain(value)


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[name] = value
    return tree


def _plain(value: Any) -> Any:
    """YAML reads 2e-4 as text; anybody else means a number."""
    if isinstance(value, str):
        try:
            return float(value) if "e" in value.lower() and value[:1] in "0123456789.-" else value
        except ValueError:
            return value
    return value


def _nearest(name: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)), "")
