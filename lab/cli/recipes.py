"""`recipes list|show|check`: the catalogue, and whether its recipes' numbers hold."""

from __future__ import annotations

import argparse
from dataclasses import asdict, is_dataclass
from typing import Any

from lab.cli.arguments import Commands, command, group
from lab.cli.output import Output, facts, table


def add(commands: Commands) -> None:
    """Add the group of commands."""
    recipes = group(
        commands, "recipes", "recipes of the catalogue: described, published, and as the lab runs them"
    )
    command(recipes, "list", "all recipes", list_recipes)
    show = command(recipes, "show", "one recipe with its sources", show_recipe)
    show.add_argument("id", metavar="ID", help="see recipes list")
    check = command(recipes, "check", "compute a recipe's numbers again and compare", check_recipe)
    check.add_argument("id", metavar="ID", help="see recipes list")


def list_recipes(arguments: argparse.Namespace, output: Output) -> int:
    """Print every recipe in a line."""
    from lab.catalogue.recipes import recipes

    keys = ("id", "name", "family", "method", "task")
    rows = [{key: getattr(recipe, key) for key in keys} for recipe in recipes()]
    output.answer(
        {"recipes": rows}, table([list(row.values()) for row in rows], [key.capitalize() for key in keys])
    )
    return 0


def show_recipe(arguments: argparse.Namespace, output: Output) -> int:
    """Print what a document described, what was published, and what the lab would run."""
    from lab.catalogue.recipes import recipe

    found = recipe(arguments.id)
    record = _plain(found)
    lines = [
        facts([(key, record[key]) for key in ("id", "name", "family", "method", "task") if key in record])
    ]
    for part in ("document", "published"):
        lines += _sourced(part, record.get(part) or {})
    lines += ["", "run", *_settings(record.get("run") or {})]
    notes = record.get("notes") or ""
    output.answer(record, [*lines, *([""] if notes else []), *([notes] if isinstance(notes, str) else notes)])
    return 0


def check_recipe(arguments: argparse.Namespace, output: Output) -> int:
    """Print each number that a recipe claims beside the one that its formula gives."""
    from lab.catalogue.audit import audit
    from lab.catalogue.recipes import recipe

    checks = [_plain(check) for check in audit(recipe(arguments.id))]
    rows = [
        [check["status"], check["name"], check["claimed"], check["computed"], check["formula"]]
        for check in checks
    ]
    output.answer(
        {"id": arguments.id, "checks": checks},
        table(rows, ["Status", "Name", "Claimed", "Computed", "Formula"]),
    )
    return 0


def _sourced(title: str, fields: dict[str, Any]) -> list[str]:
    if not fields:
        return []
    pairs = []
    for name, field in fields.items():
        known = field if isinstance(field, dict) else {"value": field}
        origin = known.get("source") or (f"line {known['line']}" if known.get("line") else "")
        pairs.append((name, f"{known.get('value')}" + (f"  ({origin})" if origin else "")))
    return ["", title, facts(pairs)]


def _settings(values: dict[str, Any], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += _settings(value, f"{prefix}{name}.")
        else:
            lines.append(f"{prefix}{name} = {value}")
    return lines


def _plain(value: Any) -> dict[str, Any]:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    record: dict[str, Any] = value.as_dict()
    return record
