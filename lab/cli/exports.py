"""Printing a setup in another tool's form, or writing it to a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli.output import Output
from lab.errors import InputError
from lab.text import N_

if TYPE_CHECKING:
    from lab.catalogue.exchange import Export
    from lab.cli.checks import DataFacts
    from lab.spec import RunSpec

FORMATS = ("spec", "trl-yaml", "trl-command", "axolotl", "llamafactory", "script", "notebook")


def add_out_argument(to: argparse.ArgumentParser) -> None:
    """Where an export goes."""
    to.add_argument("--out", metavar="FILE", help="write the export to this new file instead of printing it")


def export_spec(spec: RunSpec, format: str, out: str | None, output: Output) -> int:
    """Export a spec; a data file is looked at, so that its columns are in the export."""
    from lab.catalogue.exchange import export
    from lab.cli.checks import check_model
    from lab.planning import plan

    facts = check_model(spec.model.source)
    data, kind, columns = _looked_at(spec)
    made = plan(
        spec, facts=facts, examples=data.examples, mean_tokens=data.mean_tokens, longest_tokens=data.longest_tokens,
        packs=data.packs,
    )  # fmt: skip
    return answer_export(export(spec, format, made, kind=kind, columns=columns), out, output)


def _looked_at(spec: RunSpec) -> tuple[DataFacts, str, dict[str, str] | None]:
    """How many rows there are, of which kind, and their columns; of the Hub's data sets nothing is known."""
    from lab.cli.checks import DataFacts, data_facts, inspect
    from lab.planning.arithmetic import held_out_rows
    from lab.runs.home import is_id
    from lab.runs.network import is_data_on_hub

    source = spec.data.source
    if source == "demo" or is_id(source):
        return data_facts(spec), "", None
    if is_data_on_hub(source) or (spec.data.examples and not Path(source).expanduser().exists()):
        return DataFacts(spec.data.examples), "", None
    report = inspect(source, mapping=spec.data.columns, encoding=spec.data.encoding)
    rows = int(report["rows"])
    known = DataFacts(max(1, rows - held_out_rows(rows, spec.data.validation_share)))
    return known, str(report.get("kind") or ""), spec.data.columns or dict(report.get("mapping") or {})


def answer_export(made: Export, out: str | None, output: Output) -> int:
    """Print an export, or write it; what it leaves out goes to standard error."""
    record: dict[str, Any] = made.as_dict()
    if out:
        _write(Path(out).expanduser(), made.text)
        record["file"] = str(Path(out).expanduser().absolute())
        output.answer(record, record["file"])
    else:
        output.answer(record, made.text.rstrip("\n"))
    for entry in made.left_out:
        output.note(f"left out: {entry.path}: {entry.why}")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(
            N_("There is already a file {path}."), where="--out", next=N_("Name another one, or remove it."), path=path
        ) from None
    except OSError as error:
        raise InputError(
            N_("The file {path} cannot be written: {why}."), where="--out", path=path, why=error.strerror or "?"
        ) from None
