"""Formulas by name, each with its expression, unit and source beside the code that computes it.

The planner shows them with their numbers, and the recipes' checks name them: a recipe file never holds code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from lab.errors import InputError
from lab.text import N_

# The modules that hold formulas.
MODULES = (
    "batch",
    "steps",
    "packing",
    "windows",
    "warmup",
    "rates",
    "lora",
    "memory",
    "compute",
    "sizes",
    "arithmetic",
    "statements",
    "costs",
    "advice",
    "what_if",
)

_FORMULAS: dict[str, Formula] = {}
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Formula:
    """A named calculation: `expression` in words or symbols, the unit of its answer, and where it comes
    from.
    """

    name: str
    function: Callable[..., Any]
    expression: str
    unit: str
    source: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs, in order."""
        return tuple(inspect.signature(self.function).parameters)

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """The answer for these inputs. Raises InputError for a wrong set of inputs and for a division by
        zero.
        """
        try:
            inspect.signature(self.function).bind(**inputs)
        except TypeError:
            raise InputError(
                N_("The formula {name} takes {wanted}, not {given}."),
                name=self.name,
                wanted=", ".join(self.inputs),
                given=", ".join(inputs) or "nothing",
            ) from None
        try:
            return self.function(**inputs)
        except (ZeroDivisionError, OverflowError):
            raise InputError(N_("The formula {name} has no answer for these numbers."), name=self.name) from None


def formula(expression: str, *, unit: str = "", source: str) -> Callable[[_Function], _Function]:
    """Register the decorated pure function under its own name."""

    def register(function: _Function) -> _Function:
        name = function.__name__
        _FORMULAS[name] = Formula(name, function, expression, unit, source)
        return function

    return register


@cache
def formulas() -> dict[str, Formula]:
    """Every formula by its name."""
    for module in MODULES:
        import_module(f"lab.planning.{module}")
    return dict(sorted(_FORMULAS.items()))


def formula_named(name: str) -> Formula:
    """The formula with this name. Raises InputError when there is none."""
    found = formulas().get(name)
    if found is None:
        raise InputError(N_("There is no formula called {name}."), where="formula", name=name)
    return found
