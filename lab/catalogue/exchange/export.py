"""The formats in which a setup leaves the lab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.catalogue.exchange.axolotl import axolotl_yaml
from lab.catalogue.exchange.llamafactory import llamafactory_yaml
from lab.catalogue.exchange.notebook import notebook
from lab.catalogue.exchange.parts import Export
from lab.catalogue.exchange.places import Rows, rows_of
from lab.catalogue.exchange.script import script
from lab.catalogue.exchange.trl import trl_command, trl_yaml
from lab.errors import InputError
from lab.planning import Plan
from lab.spec import RunSpec, dump_commented
from lab.text import N_


@dataclass(frozen=True)
class Format:
    """One target: its id, a name for people, the language of its text (for colours), and who makes it."""

    id: str
    name: str
    language: str
    make: Callable[[RunSpec, Plan | None, Rows], Export]


def _own(spec: RunSpec, plan: Plan | None, rows: Rows) -> Export:
    return Export("spec", "spec.yaml", dump_commented(spec), [])


FORMATS: dict[str, Format] = {
    made.id: made
    for made in (
        Format("spec", N_("Fine-Tuning Lab: spec.yaml"), "yaml", _own),
        Format("trl-yaml", N_("TRL: YAML for trl sft --config"), "yaml", trl_yaml),
        Format("trl-command", N_("TRL: command line"), "bash", trl_command),
        Format("axolotl", N_("Axolotl: YAML"), "yaml", axolotl_yaml),
        Format("llamafactory", N_("LLaMA-Factory: YAML"), "yaml", llamafactory_yaml),
        Format("script", N_("Python script"), "python", script),
        Format("notebook", N_("Jupyter notebook"), "json", notebook),
    )
}


def export(
    spec: RunSpec, format: str, plan: Plan | None = None, *, kind: str = "", columns: Mapping[str, str] | None = None
) -> Export:
    """A setup in another tool's form.

    `plan` gives the numbers that follow from the data (steps between evaluations); `kind` and `columns` (role ->
    column) are what an inspection of the data file found, where there was one. Raises InputError for a format that
    does not exist.
    """
    if format not in FORMATS:
        raise InputError(
            N_("There is no format called {format}."),
            where="format",
            allowed=N_("Allowed: {choices}."),
            format=format,
            choices=", ".join(FORMATS),
        )
    return FORMATS[format].make(spec, plan, rows_of(spec, kind=kind, columns=columns))
