"""Ways of preparing data that come with the lab: presets/preparation/*.yaml, read strictly and once."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.errors import NotFoundError
from lab.presets import presets_dir, read_yaml
from lab.spec import RunSpec, with_overrides
from lab.text import N_


class Part(BaseModel):
    """A part of a file; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Wrong(Part):
    """What is wrong with a way that a document describes, and the line where it does."""

    what: str
    line: str


class Phase(Part):
    """One data set: its name where there are several, and settings by their paths."""

    name: str
    settings: dict[str, Any] = Field(alias="set")


class PreparationPreset(Part):
    """One way of preparing data: a data set for each phase, a later one may name an earlier one as `{name}`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    name: str
    lines: str = ""
    phases: list[Phase] = Field(min_length=1)
    wrong: list[Wrong] = []

    def spec(self, phase: int = 0, *, over: RunSpec | None = None, made: dict[str, str] | None = None) -> RunSpec:
        """The settings of a phase over those of a spec; `made` maps earlier phases to the ids of their data sets.

        Raises InputErrors for settings that the spec does not allow.
        """
        return with_overrides(over or RunSpec(), self.settings(phase, made=made))

    def settings(self, phase: int = 0, *, made: dict[str, str] | None = None) -> dict[str, Any]:
        """The settings of a phase by their paths."""
        known = {f"{{{name}}}": identifier for name, identifier in (made or {}).items()}
        return {
            path: known.get(value, value) if isinstance(value, str) else value
            for path, value in self.phases[phase].settings.items()
        }


@cache
def preparations() -> tuple[PreparationPreset, ...]:
    """All of them, by id. Raises ValueError for a file that is not right, naming it."""
    found = []
    for path in sorted((presets_dir() / "preparation").glob("*.yaml")):
        try:
            preset = PreparationPreset.model_validate(read_yaml(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise ValueError(f"{path.name}: {error}") from None
        if preset.id != path.stem:
            raise ValueError(f"{path.name}: its id is {preset.id}")
        found.append(preset)
    return tuple(found)


def preparation(identifier: str) -> PreparationPreset:
    """The way of preparing data with this id. Raises NotFoundError."""
    for preset in preparations():
        if preset.id == identifier:
            return preset
    raise NotFoundError(
        N_("There is no way of preparing data called {name}."),
        where="preset",
        allowed=N_("Allowed: {choices}."),
        name=identifier[:40],
        choices=", ".join(preset.id for preset in preparations()),
    )
