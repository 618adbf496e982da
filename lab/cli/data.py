"""`data inspect|prepare|list|show|report|delete`: what is in a file, and the data sets made of files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli import data_sets
from lab.cli.arguments import Commands, add_set_argument, command, group
from lab.cli.output import Output, facts
from lab.cli.waiting import failure_of, wait_for
from lab.cli.words import number
from lab.errors import InputError
from lab.text import N_

if TYPE_CHECKING:
    from lab.catalogue.preparations import PreparationPreset
    from lab.runs.view import RunView


def add(commands: Commands) -> None:
    """Add the group of commands."""
    data = group(commands, "data", "files and data sets")
    inspect = command(data, "inspect", "format, kind, columns and problems of a file", inspect_file)
    inspect.add_argument("file", metavar="FILE", help="a file with rows, such as CSV, JSONL or Parquet")
    _add_reading_arguments(inspect)
    prepare = command(data, "prepare", "clean, split and measure a file, and keep it as a data set", prepare_file)
    prepare.add_argument(
        "file",
        metavar="FILE",
        help="a file with rows, such as CSV, JSONL or Parquet, `demo`, or a data set of the Hub: owner/name, "
        "owner/name:configuration or owner/name@revision, with hub: before it where a file is called the same",
    )
    prepare.add_argument("--name", default="", help="shown in lists; a name that is taken makes its next version")
    prepare.add_argument("--preset", default="", metavar="ID", help="a way of preparing data, such as document-001")
    prepare.add_argument(
        "--then", metavar="FILE", action="append", default=[], help="the file of a preset's next phase"
    )
    _add_reading_arguments(prepare)
    data_sets.add(data)


def _add_reading_arguments(to: argparse.ArgumentParser) -> None:
    """How the file is to be read, where the lab guesses wrong."""
    to.add_argument("--kind", default="", help="what a row is, where the lab guesses wrong, such as question-answer")
    to.add_argument("--encoding", default="", help="such as cp1252, for a file that is neither UTF-8 nor UTF-16")
    to.add_argument("--delimiter", default="", help="what stands between two cells, such as ; or tab")
    to.add_argument("--quote", default="", help="what stands around a cell, such as ' or none")
    to.add_argument("--text-unit", default="", help="what a row of a plain text is: paragraph, line or file")
    to.add_argument("--format", default="", help="csv, tsv, json, jsonl, txt or conll, whatever the file's name says")
    add_set_argument(to)


def inspect_file(arguments: argparse.Namespace, output: Output) -> int:
    """Print what a throw-away process found in the file."""
    from lab.cli.checks import inspect

    said = preparation(arguments, arguments.file)
    report = inspect(arguments.file, **_said(said))
    mapping = ", ".join(f"{role}: {column}" for role, column in (report.get("mapping") or {}).items())
    columns = [column if isinstance(column, str) else column.get("name", "") for column in report.get("columns") or []]
    shown = [(key, report.get(key)) for key in ("format", "encoding", "kind", "rows")]
    problems = [f"line {one.get('line')}: {one.get('what')}" for one in report.get("problems") or []]
    output.answer(report, [facts([*shown, ("columns", ", ".join(columns)), ("mapping", mapping)]), *problems])
    return 0


def prepare_file(arguments: argparse.Namespace, output: Output) -> int:
    """Queue the preparation, wait for it, and print its report; a preset with phases makes a data set for each."""
    from lab.catalogue.preparations import preparation as preset_of

    preset = preset_of(arguments.preset) if arguments.preset else None
    files = [arguments.file, *arguments.then]
    _check_phases(preset, files)
    made: dict[str, str] = {}
    reports: list[dict[str, Any]] = []
    for phase, file in enumerate(files):
        settings = preset.settings(phase, made=made) if preset else {}
        view = _prepared(arguments, file, settings, preset.phases[phase].name if preset else "")
        if view.state != "succeeded":
            return failure_of(view, output)
        reports.append(view.result or {})
        if preset:
            made[preset.phases[phase].name] = str(reports[-1].get("dataset"))
    wrong = [f"{one.what} ({one.line})" for one in preset.wrong] if preset else []
    record = reports[-1] | ({"phases": reports} if len(reports) > 1 else {}) | ({"wrong": wrong} if wrong else {})
    lines = [line for report in reports for line in (_shown(report), "")]
    if wrong:
        lines += ["What is wrong with this way:", *(f"- {one}" for one in wrong), ""]
    output.answer(record, [*lines, f"Train on it with: --set data.source={record.get('dataset')}"])
    return 0


def preparation(
    arguments: argparse.Namespace, file: str, settings: dict[str, Any] | None = None, phase: str = ""
) -> dict[str, Any]:
    """The parameters of a preparation: the file, and the settings that shape it: a preset's, then those of --set."""
    from lab import spec as specs
    from lab.spec import RunSpec

    spec = specs.with_overrides(RunSpec(), settings or {})
    spec = specs.with_overrides(spec, specs.read_overrides(arguments.set))
    data, model = spec.data, spec.model.source
    folder = Path(model).expanduser()
    source = _source(file)
    name = getattr(arguments, "name", "")
    steps = spec.preparation.model_dump(mode="json")
    steps["replay_source"] = _rooted(steps["replay_source"])
    return source | {
        "name": f"{name} {phase}".strip() if name and phase else name,
        "kind": arguments.kind or None,
        "encoding": arguments.encoding or data.encoding or None,
        **{name: getattr(arguments, name) or None for name in _READING},
        "mapping": dict(data.columns) or None,
        "template": data.template,
        "model": str(folder.absolute()) if model != "demo" and folder.is_dir() else model,
        "revision": spec.model.revision or None,
        "max_length": data.max_length,
        "too_long": data.too_long,
        "completion_only": data.completion_only,
        "validation_share": data.validation_share,
        "packing": data.packing,
        "batch": spec.schedule.per_device_batch,
        "seed": spec.seed,
        "preparation": steps,
    }


def _source(file: str) -> dict[str, Any]:
    """What is to be prepared, as the request of a job names it."""
    from lab.runs.network import hub_data

    if file == "demo":
        return {"demo": True}
    on_hub = hub_data(file)
    return {"hub": str(on_hub)} if on_hub else {"path": str(Path(file).expanduser().absolute())}


def _prepared(arguments: argparse.Namespace, file: str, settings: dict[str, Any], phase: str) -> RunView:
    from lab.cli.checks import check_model, inspect
    from lab.runs import client

    parameters = preparation(arguments, file, settings, phase)
    check_model(parameters["model"])
    if "path" in parameters:
        inspect(parameters["path"], **_said(parameters))
    return wait_for(client.submit_request("prepare", parameters))


def _check_phases(preset: PreparationPreset | None, files: list[str]) -> None:
    wanted = len(preset.phases) if preset else 1
    if len(files) != wanted:
        raise InputError(
            N_("This preparation takes {wanted} files, one for each phase, and {given} are given."),
            where="--then",
            next=N_("Name the file of each further phase with --then FILE."),
            wanted=wanted,
            given=len(files),
        )


def _rooted(source: str) -> str:
    """A file as an absolute path, because the worker runs elsewhere; anything else as it stands."""
    place = Path(source).expanduser()
    return str(place.absolute()) if source and place.is_file() else source


def _shown(report: dict[str, Any]) -> str:
    rows, tokens = report.get("rows") or {}, report.get("tokens") or {}
    counted = {name: ", ".join(f"{why}: {n}" for why, n in (report.get(name) or {}).items()) for name in _COUNTED}
    shown = [("data set", report.get("dataset")), ("name", report.get("name")), ("version", report.get("version"))]
    shown += [(f"rows {part}", count) for part, count in rows.items()]
    shown += [*counted.items(), *((f"tokens {name}", number(value, 1)) for name, value in tokens.items())]
    return facts([*shown, ("fingerprint", report.get("fingerprint"))])


_COUNTED = ("dropped", "added")
_READING = ("delimiter", "quote", "text_unit", "format")


def _said(parameters: dict[str, Any]) -> dict[str, Any]:
    """What a person says about the file, out of the parameters of a preparation."""
    return {"mapping": parameters["mapping"] or {}} | {
        name: parameters[name] or "" for name in ("kind", "encoding", *_READING)
    }
