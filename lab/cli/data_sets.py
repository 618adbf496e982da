"""`data list|show|report|delete`: the data sets that were prepared."""

from __future__ import annotations

import argparse
from pathlib import Path

from lab.cli.arguments import Commands, command
from lab.cli.output import Output, facts, table
from lab.cli.words import number, percent


def add(data: Commands) -> None:
    """Add the commands to the group `data`."""
    listed = command(data, "list", "prepared data sets, newest first", list_sets)
    listed.add_argument("--name", default="", help="only the versions of this one")
    for name, purpose, run in (
        ("show", "one data set: rows, steps, tokens, and what is worth a second look", show_set),
        ("report", "write a page about a data set, to read or to print", report_set),
        ("delete", "remove a data set; runs that used it keep what they wrote", delete_set),
    ):
        added = command(data, name, purpose, run)
        added.add_argument("id", metavar="ID", help="a data set's id, or its name: the newest version, or NAME@VERSION")
        if name == "report":
            added.add_argument("--out", default="", metavar="FILE", help="default: data-report.html")


def list_sets(arguments: argparse.Namespace, output: Output) -> int:
    """Print the data sets in a table."""
    from lab.runs import registry

    found = registry.versions(arguments.name) if arguments.name else registry.datasets()
    keys = ("id", "name", "kind", "rows", "tokens", "template", "model", "fingerprint", "created", "parent")
    records = [{key: one.get(key) for key in keys} | {"version": registry.version_of(one)} for one in found]
    rows = []
    for one, record in zip(records, found, strict=True):
        end = [number(record["rows"]["train"]), str(record["fingerprint"])[:12]]
        rows.append([one["id"], one["name"], one["version"], one["kind"], *end])
    heads = ["Data set", "Name", "Version", "Kind", "Training rows", "Fingerprint"]
    none = "There are no data sets yet: python -m lab data prepare FILE"
    output.answer({"datasets": records}, table(rows, heads) if rows else none)
    return 0


def show_set(arguments: argparse.Namespace, output: Output) -> int:
    """Print the record of a data set, its steps and its figures."""
    from lab.review.data_report import read_data
    from lab.runs import registry
    from lab.text import fill

    data = read_data(registry.dataset_path(registry.find_dataset(arguments.id)))
    record, tokens = data.record, data.figures.get("tokens") or {}
    shown = [(key, record.get(key)) for key in ("id", "name", "kind", "template", "model", "fingerprint")]
    shown += [("version", registry.version_of(record))]
    shown += [(f"rows {part}", number(count)) for part, count in record["rows"].items()]
    shown += [("dropped", ", ".join(f"{why}: {n}" for why, n in record["dropped"].items()))]
    if tokens:
        total = max(1, tokens["total"])
        shown += [(f"tokens {name}", f"{number(tokens[name])} ({percent(tokens[name] / total)})") for name in _TOKENS]
    steps = [f"{one['step']}: {number(one['rows_in'])} rows in, {number(one['rows_out'])} out" for one in data.steps]
    remarks = [f"{one['level']}: {fill(one['template'], one['values'])}" for one in data.figures.get("findings", [])]
    answer = {"record": record, "lengths": data.lengths, "steps": data.steps, "figures": data.figures}
    output.answer(answer, [facts(shown), "", *steps, *([""] if remarks else []), *remarks])
    return 0


_TOKENS = ("trained", "masked", "cut", "padded", "padded_packed")


def report_set(arguments: argparse.Namespace, output: Output) -> int:
    """Write the report of a data set as one HTML file."""
    from lab.json_io import write_text
    from lab.review.data_report import as_html, read_data
    from lab.runs import registry

    path = Path(arguments.out or "data-report.html").expanduser().absolute()
    identifier = registry.find_dataset(arguments.id)
    write_text(path, as_html(read_data(registry.dataset_path(identifier))))
    output.answer({"dataset": identifier, "file": str(path)}, str(path))
    return 0


def delete_set(arguments: argparse.Namespace, output: Output) -> int:
    """Remove a data set."""
    from lab.runs import registry

    identifier = registry.find_dataset(arguments.id)
    registry.delete_dataset(identifier)
    output.answer({"deleted": identifier}, f"Deleted {identifier}.")
    return 0
