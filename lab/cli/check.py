"""`check`: a setup of the lab, TRL, Axolotl or LLaMA-Factory, judged."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli.arguments import Commands, add_set_argument, command
from lab.cli.output import Output, table
from lab.errors import InputError, LabError
from lab.text import N_

if TYPE_CHECKING:
    from lab.catalogue.doctor import Report
    from lab.catalogue.exchange import Imported
    from lab.models.facts import ModelFacts

LARGEST = 4_000_000  # bytes


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(
        commands, "check", "judge a setup of the lab, TRL, Axolotl or LLaMA-Factory",
        check, description="Read a setup from a YAML file, whichever of these tools it was written for, and judge it.",
    )  # fmt: skip
    added.add_argument("file", metavar="FILE", help="a YAML file: spec.yaml, or the one of the other tool")
    add_set_argument(added)


def check(arguments: argparse.Namespace, output: Output) -> int:
    """Print what is understood of the file, the table of verdicts, and the findings."""
    from lab import spec as specs
    from lab.catalogue.doctor import examine
    from lab.catalogue.exchange import read_setup
    from lab.planning import plan

    imported = read_setup(_text(arguments.file), where=arguments.file)
    spec = specs.with_overrides(imported.spec, specs.read_overrides(arguments.set))
    facts, trouble = model_facts(spec.model.source)
    made = plan(spec, facts=facts)
    report = examine(spec, made, facts, imported=imported)
    record = {"import": imported.as_dict(), "spec": spec.model_dump(mode="json"), "plan": made.as_dict(),
              "report": report.as_dict()}  # fmt: skip
    output.answer(record, report_in_words(report))
    for sentence in [*trouble, *notes_in_words(imported)]:
        output.note(sentence)
    return 0


def model_facts(source: str) -> tuple[ModelFacts, list[str]]:
    """The facts of a model; nothing is known, and why is said, of one that is not here."""
    from lab.models.facts import ModelFacts, facts_of
    from lab.runs import chain

    try:
        return facts_of(chain.place_of(source)), []
    except LabError as error:
        return ModelFacts(name=source), [str(error)]


def report_in_words(report: Report) -> str:
    """The report as a table and a list."""
    rows: list[list[Any]] = []
    for row in report.rows:
        span = f"{row.low:g} to {row.high:g}" if row.low is not None and row.high is not None else ""
        place = "" if row.position is None else f"{row.position:.2f}"
        rows.append([row.status, row.label, f"{row.value:g}", span, place, row.why.source])
    lines = [table(rows, ["Status", "Parameter", "Value", "Usual", "Place", "Source"]), ""]
    for entry in report.findings:
        lines.append(f"{entry.level}: {entry.field}: {entry.what.text}")
        if entry.suggestion:
            change = " ".join(f"--set {path}={value}" for path, value in entry.suggestion.change.items())
            lines.append(f"    {change}  {entry.suggestion.reason.text}")
    near = [[one.name, one.method, f"{one.values['learning_rate']['value']}"] for one in report.nearest]
    return "\n".join([*lines, "", table(near, ["Nearest", "Method", "Learning rate"])])


def notes_in_words(imported: Imported) -> list[str]:
    """What is to say about the file itself."""
    found = [f"line {note.line}: {note.sentence}" for note in imported.notes]
    if imported.assumed:
        said = ", ".join(f"{path}={value}" for path, value in imported.assumed.items() if value != "")
        found.append(f"not in the file, so the tool's own defaults: {said}")
    return found


def _text(path: str) -> str:
    try:
        data = Path(path).expanduser().read_bytes()[: LARGEST + 1]
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            N_("The file {path} cannot be read: {why}."),
            where=path,
            next=N_("Check the path."),
            path=path,
            why=getattr(error, "strerror", None) or "it is not UTF-8 text",
        ) from None
