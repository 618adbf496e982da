"""`data inspect|prepare`: what is in a file, and a checked data set made of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lab.cli.arguments import Commands, add_set_argument, command, group
from lab.cli.output import Output, facts
from lab.cli.waiting import failure_of, wait_for


def add(commands: Commands) -> None:
    """Add the group of commands."""
    data = group(commands, "data", "files and data sets")
    inspect = command(data, "inspect", "format, kind, columns and problems of a file", inspect_file)
    inspect.add_argument("file", metavar="FILE", help="a CSV, TSV, JSON or JSONL file")
    _add_reading_arguments(inspect)
    prepare = command(data, "prepare", "clean, split and measure a file, and keep it as a data set", prepare_file)
    prepare.add_argument("file", metavar="FILE", help="a CSV, TSV, JSON or JSONL file, or `demo`")
    prepare.add_argument("--name", default="", help="shown in lists")
    _add_reading_arguments(prepare)


def _add_reading_arguments(to: argparse.ArgumentParser) -> None:
    """How the file is to be read, where the lab guesses wrong."""
    to.add_argument("--kind", default="", help="what a row is, where the lab guesses wrong, such as question-answer")
    to.add_argument("--encoding", default="", help="such as cp1252, for a file that is neither UTF-8 nor UTF-16")
    add_set_argument(to)


def inspect_file(arguments: argparse.Namespace, output: Output) -> int:
    """Print what a throw-away process found in the file."""
    from lab.cli.checks import inspect

    said = preparation(arguments)
    report = inspect(arguments.file, **_said(said))
    mapping = ", ".join(f"{role}: {column}" for role, column in (report.get("mapping") or {}).items())
    columns = [column if isinstance(column, str) else column.get("name", "") for column in report.get("columns") or []]
    shown = [(key, report.get(key)) for key in ("format", "encoding", "kind", "rows")]
    problems = [f"line {one.get('line')}: {one.get('what')}" for one in report.get("problems") or []]
    output.answer(report, [facts([*shown, ("columns", ", ".join(columns)), ("mapping", mapping)]), *problems])
    return 0


def prepare_file(arguments: argparse.Namespace, output: Output) -> int:
    """Queue the preparation, wait for it, and print its report."""
    from lab.cli.checks import check_model, inspect
    from lab.runs import client

    parameters = preparation(arguments)
    check_model(parameters["model"])
    if "path" in parameters:
        inspect(parameters["path"], **_said(parameters))
    view = wait_for(client.submit_request("prepare", parameters))
    if view.state != "succeeded":
        return failure_of(view, output)
    result = view.result or {}
    rows, tokens = result.get("rows") or {}, result.get("tokens") or {}
    dropped = ", ".join(f"{reason}: {count}" for reason, count in (result.get("dropped") or {}).items())
    shown = [("data set", result.get("dataset")), *((f"rows {part}", count) for part, count in rows.items())]
    shown += [("dropped", dropped), *((f"tokens {name}", value) for name, value in tokens.items())]
    output.answer(result, [facts(shown), "", f"Train on it with: --set data.source={result.get('dataset')}"])
    return 0


def preparation(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters of a preparation: the file, and the settings of `model` and `data` that shape it."""
    from lab import spec as specs
    from lab.spec import RunSpec

    spec = specs.with_overrides(RunSpec(), specs.read_overrides(arguments.set))
    data, model = spec.data, spec.model.source
    folder = Path(model).expanduser()
    source = {"demo": True} if arguments.file == "demo" else {"path": str(Path(arguments.file).expanduser().absolute())}
    return source | {
        "name": getattr(arguments, "name", ""),
        "kind": arguments.kind or None,
        "encoding": arguments.encoding or data.encoding or None,
        "mapping": dict(data.columns) or None,
        "template": data.template,
        "model": str(folder.absolute()) if model != "demo" and folder.is_dir() else model,
        "max_length": data.max_length,
        "too_long": data.too_long,
        "completion_only": data.completion_only,
        "validation_share": data.validation_share,
        "seed": spec.seed,
    }


def _said(parameters: dict[str, Any]) -> dict[str, Any]:
    """What a person says about the file, out of the parameters of a preparation."""
    return {name: parameters[name] or empty for name, empty in (("mapping", {}), ("kind", ""), ("encoding", ""))}
