"""Checking a whole request before any work: every wrong value and every conflict, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lab.errors import InputError, InputErrors
from lab.spec.rules import data, later, method, preference, schedule, speed, task
from lab.spec.run import RunSpec
from lab.spec.settings import settings, unknown
from lab.text import N_

_RULES = (data, task, preference, method, schedule, speed)


def build(values: Mapping[str, Any]) -> RunSpec:
    """Make a RunSpec of a nested mapping.

    Raises InputErrors with one problem for each wrong value or unknown name.
    """
    try:
        return RunSpec.model_validate(values)
    except ValidationError as error:
        raise InputErrors(_problems(error)) from None


def check(spec: RunSpec, *, runnable: bool = True) -> None:
    """Refuse a spec whose settings contradict each other or, if `runnable`, that cannot run yet.

    Raises InputErrors with every problem.
    """
    problems = conflicts(spec) + (later.not_yet(spec) if runnable else [])
    if problems:
        raise InputErrors(problems)


def conflicts(spec: RunSpec) -> list[InputError]:
    """Settings that contradict each other, each with the way out."""
    return [problem for rules in _RULES for problem in rules.conflicts(spec)]


def _problems(error: ValidationError) -> list[InputError]:
    known = {setting.path: setting for setting in settings()}
    problems: dict[str, InputError] = {}
    for detail in error.errors(include_url=False):
        path = _setting_path(detail["loc"], known)
        if detail["type"] == "extra_forbidden":
            problems[path] = unknown(path)
            continue
        setting = known.get(path)
        problems[path] = _wrong_value(path, detail["input"], setting.allowed if setting else "")
    return list(problems.values())


def _wrong_value(path: str, value: object, allowed: str) -> InputError:
    shown = "nothing" if value is None or value == "" else str(value)[:80]
    return InputError(
        N_("{value} is not a valid value for {path}."),
        where=path,
        allowed=N_("Allowed: {choices}.") if allowed else "",
        value=shown,
        path=path,
        choices=allowed,
    )


def _setting_path(location: tuple[int | str, ...], known: Mapping[str, object]) -> str:
    """The dotted name behind a pydantic location, which also names members of unions and of containers."""
    parts = [str(part) for part in location]
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in known:
            return ".".join(parts[:end])
    return ".".join(parts)
