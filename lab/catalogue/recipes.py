"""The recipes: presets/recipes/*.yaml, read strictly and once.

A recipe keeps three things apart: `described` (a value and the line of the document that states it),
`published` (a value and its public source, or the words "not published"), and `run` (the settings that the
lab runs).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.errors import InputError, NotFoundError
from lab.presets import presets_dir, read_yaml
from lab.spec import RunSpec, build, setting_at, settings
from lab.text import N_

NOT_PUBLISHED = "not published"


class Part(BaseModel):
    """A part of a recipe file; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Described(Part):
    """A value as the document states it, with its line, such as `document 000 L45`."""

    value: Any
    line: str


class Published(Part):
    """A value as its authors published it, with the source; value null and source "not published" where there
    is none.
    """

    value: Any
    source: str = Field(min_length=1)


class Fact(Part):
    """A number that checks need beside the two columns, and where it comes from."""

    value: Any
    source: str = Field(min_length=1)


class CheckSpec(Part):
    """One check: a named formula, its inputs (numbers or references such as `published.epochs`), and the
    claim.

    `corners` in place of `inputs` computes the formula several times; `parts` computes several formulas.
    `plausible` is the range outside which an answer is implausible, `tolerance` relative, `note` a sentence
    for the reader.
    """

    name: str
    formula: str = ""
    inputs: dict[str, Any] = {}
    corners: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    claimed: Any = None
    claim_text: str = ""
    compare: bool = True
    tolerance: float = 0.02
    plausible: list[float] | None = None
    note: str = ""


class Recipe(Part):
    """One entry of the catalogue, as its file has it."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    name: str
    kind: str
    family: str
    method: str
    task: str
    lines: str = ""
    base_model: str = ""
    goal: str = ""
    facts: dict[str, Fact] = {}
    described: dict[str, Described] = {}
    published: dict[str, Published] = {}
    run: dict[str, Any] = {}
    not_run: str = ""
    checks: list[CheckSpec] = []
    notes: list[str] = []

    @property
    def document(self) -> dict[str, dict[str, Any]]:
        """What the document describes: field -> {"value", "line"}."""
        return {name: entry.model_dump() for name, entry in self.described.items()}


@cache
def comparators() -> tuple[Recipe, ...]:
    """Published runs that no document describes, to compare with: presets/published/*.yaml."""
    return tuple(read_recipe(path) for path in sorted((presets_dir() / "published").glob("*.yaml")))


@cache
def recipes() -> tuple[Recipe, ...]:
    """Every recipe: the demo first, then by kind and in the order of the documents. Raises InputError for a
    bad file.
    """
    found = [read_recipe(path) for path in sorted((presets_dir() / "recipes").glob("*.yaml"))]
    return tuple(sorted(found, key=_place))


def recipe(name: str) -> Recipe:
    """The recipe with this id. Raises NotFoundError."""
    for entry in recipes():
        if entry.id == name:
            return entry
    raise NotFoundError(
        N_("There is no recipe called {name}."),
        where="recipe",
        next=N_("`python -m lab recipes list` shows them all."),
        name=name,
    )


def read_recipe(path: Path) -> Recipe:
    """Read one recipe file. Raises InputError, naming file and field, for a file that is not a recipe."""
    try:
        made = parse_recipe(path.read_text(encoding="utf-8"), where=path.name)
    except UnicodeDecodeError:
        raise InputError(N_("{file} is not UTF-8 text."), where=path.name, file=path.name) from None
    if made.id != path.stem:
        raise InputError(
            N_("The id {id} is not the name of its file."),
            where=path.name,
            id=made.id,
            next=N_("Rename one of them."),
        )
    return made


def parse_recipe(text: str, *, where: str = "recipe") -> Recipe:
    """Read a recipe from YAML text. Raises InputError."""
    try:
        return Recipe.model_validate(read_yaml(text))
    except yaml.YAMLError as error:
        raise InputError(N_("{file} is not YAML: {why}."), where=where, file=where, why=str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(
            N_("{file} is not a recipe: {field}: {why}."),
            where=where,
            file=where,
            field=".".join(str(part) for part in first["loc"]),
            why=first["msg"],
        ) from None


def run_values(entry: Recipe) -> dict[str, Any]:
    """What the recipe sets: dotted name -> value. Raises InputError for a name that is no setting."""
    return _flat(entry.run, "")


def run_spec(entry: Recipe) -> RunSpec:
    """The spec that the lab would run for this recipe, every setting that it does not name at its default.

    Raises InputErrors for values that no spec can hold.
    """
    return build({**entry.run, "recipe": entry.id, "name": entry.run.get("name", entry.name)})


def _flat(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and path not in _mappings():
            flat |= _flat(value, f"{path}.")
        else:
            flat[setting_at(path).path] = value
    return flat


@cache
def _mappings() -> frozenset[str]:
    """The settings whose own value is a mapping, such as the phases of a method."""
    return frozenset(setting.path for setting in settings() if setting.kind == "mapping")


_KINDS = ("demo", "named-system", "use-case", "objective", "variant", "method", "example", "tool", "context")


def _place(entry: Recipe) -> tuple[int, str]:
    rank = _KINDS.index(entry.kind) if entry.kind in _KINDS else len(_KINDS)
    return rank, entry.lines or entry.id
