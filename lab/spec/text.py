"""The spec as text: YAML in and out, `name=value` overrides, and the difference between two specs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.spec.settings import Setting, setting_at, settings
from lab.spec.validate import build
from lab.text import N_

# `role: column`; a name in quotation marks may hold commas and colons.
_PAIR = re.compile(r"""([^,:]+)(?::\s*("[^"]*"|'[^']*'|[^,]*))?""")


def load(path: str | Path) -> RunSpec:
    """Read a spec from a YAML file. Raises InputError for a file that is missing, not YAML, or not a spec."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            N_("The file {path} cannot be read: {why}."),
            where=str(path),
            next=N_("Check the path."),
            path=path,
            why=_reason(error),
        ) from None
    return loads(text, where=str(path))


def loads(text: str, *, where: str = "spec") -> RunSpec:
    """Read a spec from YAML text; settings that are not named keep their defaults."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise InputError(
            N_("Line {line} is not YAML: {why}."),
            where=f"{where}:{line}",
            line=line,
            why=getattr(error, "problem", None) or "it cannot be parsed",
        ) from None
    if not isinstance(values, dict):
        raise InputError(N_("A spec is a list of settings such as `seed: 42`."), where=where)
    return build(values)


def dump(spec: RunSpec) -> str:
    """The whole spec as YAML, in the order of its declaration."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def dump_commented(spec: RunSpec) -> str:
    """The whole spec as YAML with a comment on every setting: its help, unit and allowed values."""
    lines = ["# A run of the Fine-Tuning Lab. Run it with: python -m lab train --spec THIS_FILE", "schema_version: 1"]
    group = ""
    for setting in settings():
        if setting.group != group:
            group = setting.group
            lines += ["", f"{group}:"]
        indent = "  " if group else ""
        lines.append(f"{indent}# {setting.label}: {setting.help} Allowed: {setting.allowed}.")
        value = yaml.safe_dump({setting.path.rpartition(".")[2]: value_at(spec, setting.path)}, allow_unicode=True)
        lines += [indent + line for line in value.rstrip().splitlines()]
    return "\n".join(lines) + "\n"


def value_at(spec: RunSpec, path: str) -> Any:
    """The value of the setting with this dotted name."""
    value: Any = spec
    for name in path.split("."):
        value = getattr(value, name)
    return value


def read_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Turn `schedule.learning_rate=2e-4` pairs into a mapping from dotted name to value.

    Raises InputError for a pair without `=` or a name that is no setting.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not equals:
            raise InputError(
                N_("{pair} is not of the form name=value."), where="--set", next=N_("Write --set seed=7."), pair=pair
            )
        values[path.strip()] = _parse(setting_at(path.strip()), text)
    return values


def with_overrides(spec: RunSpec, values: dict[str, Any]) -> RunSpec:
    """A copy of `spec` with some settings, named by their dotted paths, changed. Raises InputErrors."""
    tree = spec.model_dump(mode="json")
    for path, value in values.items():
        setting_at(path)
        *parents, name = path.split(".")
        branch = tree
        for parent in parents:
            branch = branch[parent]
        branch[name] = value
    return build(tree)


def difference(first: RunSpec, second: RunSpec) -> dict[str, tuple[Any, Any]]:
    """The settings whose values differ: dotted name -> (value in first, value in second)."""
    pairs = {setting.path: (value_at(first, setting.path), value_at(second, setting.path)) for setting in settings()}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def _parse(setting: Setting, text: str) -> Any:
    text = text.strip()
    if setting.optional and text.lower() in ("", "none", "null"):
        return None
    if setting.kind == "boolean":
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower(), text)
    if setting.kind == "list":
        parts = [part.strip().strip("'\"") for part in text.strip("[]").split(",")]
        return text if text == "all-linear" else [part for part in parts if part]
    if setting.kind == "mapping":
        pairs = _PAIR.findall(text.strip("{}"))
        return {key.strip("'\" "): value.strip().strip("'\"") for key, value in pairs}
    return text  # pydantic reads numbers from text, "2e-4" included, which YAML would leave as text


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8 text"
