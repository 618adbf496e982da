"""How one setting is declared: everything that a person needs to know about it, in one place."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

Level = Literal["basic", "expert"]


def setting(
    default: Any,
    label: str,
    help: str,
    *,
    unit: str = "",
    level: Level = "expert",
    source: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    suggestions: tuple[str, ...] = (),
) -> Any:
    """Declare a field of the run spec.

    `label` and `help` (one sentence) are English message ids, marked with `N_` where they are written. `unit` is the
    unit of the value, `source` tells where the default comes from. `minimum` and `maximum` are allowed values;
    `above` is a bound that is not. `suggestions` are values that a form offers for free text.
    """
    facts: dict[str, Any] = {
        "label": label,
        "unit": unit,
        "level": level,
        "source": source,
        "suggestions": list(suggestions),
    }
    bounds = {"ge": minimum, "le": maximum, "gt": above}
    arguments: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    arguments["default_factory" if callable(default) else "default"] = default
    return Field(description=help, json_schema_extra={"lab": facts}, **arguments)
