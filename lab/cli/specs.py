"""The spec of a command: defaults < recipe < --spec < --set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from lab import spec as specs
from lab.runs.prepare import rooted
from lab.spec import RunSpec


def spec_of(arguments: argparse.Namespace) -> RunSpec:
    """Build the spec that the arguments describe; folders and files in it are made absolute.

    Raises InputErrors with everything that is wrong, NotFoundError for an unknown recipe.
    """
    spec = RunSpec()
    if arguments.recipe:
        from lab.catalogue.recipes import recipe, run_spec

        spec = specs.with_overrides(run_spec(recipe(arguments.recipe)), {"recipe": arguments.recipe})
    if arguments.spec:
        given = specs.load(arguments.spec)  # says what is wrong in it, by line and by setting
        spec = _over(spec, arguments.spec) if arguments.recipe else given
    return rooted(specs.with_overrides(spec, specs.read_overrides(arguments.set)))


def _over(spec: RunSpec, path: str) -> RunSpec:
    """The spec with what the file names, and only that, replaced."""
    return specs.build(_merged(spec.model_dump(mode="json"), yaml.safe_load(Path(path).read_text(encoding="utf-8"))))


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(name), dict) and name != "columns"
        result[name] = _merged(base[name], value) if both else value
    return result
