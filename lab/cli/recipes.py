"""`recipes list|show|check|export`: the catalogue, and whether its recipes' numbers hold."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from lab.cli.arguments import Commands, command, group
from lab.cli.exports import FORMATS, add_out_argument, answer_export
from lab.cli.output import Output, facts, table
from lab.errors import InputError
from lab.text import N_


def add(commands: Commands) -> None:
    """Add the group of commands."""
    recipes = group(commands, "recipes", "recipes of the catalogue: described, published, and as the lab runs them")
    command(recipes, "list", "all recipes", list_recipes)
    show = command(recipes, "show", "one recipe with its sources", show_recipe)
    show.add_argument("id", metavar="ID", help="see recipes list")
    check = command(recipes, "check", "compute a recipe's numbers again and compare", check_recipe)
    check.add_argument("id", metavar="ID", help="see recipes list")
    purpose = "a recipe's run for the lab, TRL, Axolotl, LLaMA-Factory or Python"
    export = command(recipes, "export", purpose, export_recipe)
    export.add_argument("id", metavar="ID", help="see recipes list")
    export.add_argument("--format", choices=FORMATS, default="spec", help="the form to write it in")
    add_out_argument(export)


def list_recipes(arguments: argparse.Namespace, output: Output) -> int:
    """Print every recipe in a line."""
    from lab.catalogue.recipes import recipes

    keys = ("id", "name", "family", "method", "task")
    rows = [{key: getattr(recipe, key) for key in keys} for recipe in recipes()]
    output.answer({"recipes": rows}, table([list(row.values()) for row in rows], [key.capitalize() for key in keys]))
    return 0


def show_recipe(arguments: argparse.Namespace, output: Output) -> int:
    """Print what a document described, what was published, and what the lab would run."""
    from lab.catalogue.recipes import recipe, run_values

    found = recipe(arguments.id)
    record = found.model_dump(mode="json", exclude={"checks"})
    keys = ("id", "name", "kind", "family", "method", "task", "lines", "base_model", "goal", "not_run")
    lines = [facts([(key.replace("_", " "), record[key]) for key in keys])]
    for part, origin in (("described", "line"), ("published", "source")):
        shown = [(name, f"{field['value']}  ({field[origin]})") for name, field in record[part].items()]
        lines += ["", part, facts(shown)] if shown else []
    run = [(name, str(value)) for name, value in run_values(found).items()]
    lines += ["", "run", facts(run)] if run else []
    output.answer(record, [*lines, *([""] if found.notes else []), *found.notes])
    return 0


def check_recipe(arguments: argparse.Namespace, output: Output) -> int:
    """Print each number that a recipe claims beside the one that its formula gives."""
    from lab.catalogue.audit import audit
    from lab.catalogue.recipes import recipe

    checks = [asdict(check) for check in audit(recipe(arguments.id))]
    rows = [[_shown(check[key]) for key in ("status", "name", "claimed", "computed", "formula")] for check in checks]
    output.answer(
        {"id": arguments.id, "checks": checks},
        table(rows, ["Status", "Name", "Claimed", "Computed", "Formula"]),
    )
    return 0


def export_recipe(arguments: argparse.Namespace, output: Output) -> int:
    """Print what the lab would run for a recipe in another tool's form."""
    from lab.catalogue.exchange import export
    from lab.catalogue.recipes import recipe, run_spec
    from lab.cli.check import model_facts
    from lab.planning import plan

    found = recipe(arguments.id)
    if not found.run:
        raise InputError(
            N_("The recipe {name} has nothing to run: {why}"),
            where=found.id,
            name=found.name,
            why=found.not_run or "it only describes",
        )
    spec = run_spec(found)
    facts, _ = model_facts(spec.model.source)
    return answer_export(export(spec, arguments.format, plan(spec, facts=facts)), arguments.out, output)


def _shown(value: object) -> object:
    if isinstance(value, list):
        return " to ".join(f"{item:.4g}" if isinstance(item, float) else str(item) for item in value)
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else value
