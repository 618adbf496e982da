"""Reading the declaration: one `Setting` for each field of RunSpec, in order."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_


@dataclass(frozen=True)
class Setting:
    """One setting as forms, help texts and error messages need it.

    `path` is its dotted name, `kind` one of integer, number, boolean, text, choice, list, mapping; `optional` says that
    it may be empty (None). `label`, `help` and `unit` are English message ids.
    """

    path: str
    label: str
    help: str
    kind: str
    default: Any
    unit: str = ""
    level: str = "expert"
    source: str = ""
    optional: bool = False
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The part of the spec that the setting belongs to; empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def allowed(self) -> str:
        """The allowed values in words, in English."""
        if self.kind == "boolean":
            return "true or false"
        if self.choices and self.kind == "list":
            return "a list of " + ", ".join(self.choices)
        if self.choices:
            return "one of " + ", ".join(self.choices)
        return _range_in_words(self)


@cache
def settings() -> tuple[Setting, ...]:
    """Every setting of RunSpec, in the order of its declaration."""
    return tuple(_walk(RunSpec, ""))


def setting_at(path: str) -> Setting:
    """The setting with this dotted name.

    Raises InputError, with the nearest names, when there is none.
    """
    for setting in settings():
        if setting.path == path:
            return setting
    raise unknown(path)


def unknown(path: str) -> InputError:
    """The error for a name that is no setting."""
    near = difflib.get_close_matches(path, [setting.path for setting in settings()], n=3, cutoff=0.5)
    return InputError(
        N_("There is no setting called {path}."),
        where=path,
        next=N_("Did you mean {near}?") if near else N_("docs/settings.md lists every setting."),
        path=path,
        near=", ".join(near),
    )


def _walk(model: type[BaseModel], prefix: str) -> list[Setting]:
    found: list[Setting] = []
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found += _walk(annotation, f"{prefix}{name}.")
        elif isinstance(field.json_schema_extra, dict):
            found.append(_setting(f"{prefix}{name}", field))
    return found


def _setting(path: str, field: FieldInfo) -> Setting:
    facts: Any = field.json_schema_extra["lab"]  # type: ignore[index]
    kind, choices, optional = _kind(field.annotation)
    bounds: dict[str, Any] = {}
    for constraint in field.metadata:
        if isinstance(constraint, annotated_types.Ge):
            bounds["minimum"] = constraint.ge
        elif isinstance(constraint, annotated_types.Le):
            bounds["maximum"] = constraint.le
        elif isinstance(constraint, annotated_types.Gt):
            bounds["above"] = constraint.gt
    return Setting(
        path=path,
        label=facts["label"],
        help=field.description or "",
        kind=kind,
        default=field.get_default(call_default_factory=True),
        unit=facts["unit"],
        level=facts["level"],
        source=facts["source"],
        optional=optional,
        choices=choices,
        **bounds,
    )


def _kind(annotation: Any) -> tuple[str, tuple[str, ...], bool]:
    """The kind of value of an annotation, its choices, and whether None is allowed."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        inner = [argument for argument in arguments if argument is not NoneType]
        if len(inner) == 1:
            kind, choices, _ = _kind(inner[0])
            return kind, choices, NoneType in arguments
        return "list", (), NoneType in arguments  # all-linear or a list of names
    if origin is Literal:
        return "choice", tuple(str(argument) for argument in arguments), False
    if origin is dict:
        return "mapping", (), False
    if origin is list:
        return "list", _kind(arguments[0])[1] if arguments else (), False
    return {int: "integer", float: "number", bool: "boolean"}.get(annotation, "text"), (), False


def _range_in_words(setting: Setting) -> str:
    words = {"integer": "a whole number", "number": "a number", "list": "a list of names, or all-linear"}
    text = words.get(setting.kind, "text")
    if setting.above is not None:
        text += f" above {setting.above:g}"
    if setting.minimum is not None:
        text += f" from {setting.minimum:,g}" if setting.minimum < 1e6 else f" from {setting.minimum:,.0f}"
    if setting.maximum is not None:
        text += f" to {setting.maximum:,.0f}" if setting.maximum >= 1e6 else f" to {setting.maximum:,g}"
    if setting.unit:
        text += f" ({setting.unit})"
    return text + (", or nothing" if setting.optional else "")
