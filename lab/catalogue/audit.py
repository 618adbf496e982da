"""The audit: each check of a recipe computed from its values, and what that says about the claim.

Nothing here is stored in the recipe file but the claim: the figure comes from a named formula of
`lab.planning`.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lab.catalogue.recipes import CheckSpec, Recipe
from lab.errors import InputError
from lab.planning import Formula, formula_named
from lab.text import N_

Status = Literal["holds", "fails", "implausible", "info"]
_PLACES = ("described", "published", "facts", "run")


@dataclass(frozen=True)
class Check:
    """One computed check: what is claimed, what comes out, by which formula, and whether the claim holds.

    `inputs` are the numbers that went in; `source` the formula's.
    """

    name: str
    claimed: Any
    computed: Any
    formula: str
    status: Status
    note: str = ""
    unit: str = ""
    source: str = ""
    inputs: Any = None

    def as_dict(self) -> dict[str, Any]:
        """The check as `recipes check --json` prints it."""
        return asdict(self)


def audit(entry: Recipe) -> list[Check]:
    """Compute every check of a recipe, in its order.

    Raises InputError, naming recipe and check, for a formula or a reference that does not exist.
    """
    return [_check(entry, spec) for spec in entry.checks]


def _check(entry: Recipe, spec: CheckSpec) -> Check:
    try:
        formulas, inputs = _calls(entry, spec)
        answers = [formula(values) for formula, values in zip(formulas, inputs, strict=True)]
        claimed = resolve(entry, spec.claimed)
    except InputError as error:
        error.where = f"{entry.id}: {spec.name}"
        raise
    single = not (spec.corners or spec.parts)
    computed = _rounded(answers[0] if single else answers)
    return Check(
        name=spec.name,
        claimed=spec.claim_text or claimed,
        computed=computed,
        formula="; ".join(dict.fromkeys(formula.expression for formula in formulas)),
        status=_status(spec, claimed, answers),
        note=spec.note,
        unit=formulas[0].unit,
        source="; ".join(dict.fromkeys(formula.source for formula in formulas)),
        inputs=inputs[0] if single else inputs,
    )


def _calls(entry: Recipe, spec: CheckSpec) -> tuple[list[Formula], list[dict[str, Any]]]:
    """The formulas to compute and their inputs: one, the corners of a range, or several different ones."""
    if spec.parts:
        return (
            [formula_named(str(part["formula"])) for part in spec.parts],
            [resolve(entry, part["inputs"]) for part in spec.parts],
        )
    sets = [spec.inputs | corner for corner in spec.corners] or [spec.inputs]
    return [formula_named(spec.formula)] * len(sets), [resolve(entry, values) for values in sets]


def resolve(entry: Recipe, value: Any) -> Any:
    """Replace references such as `described.epochs` or `facts.rows.0` and nested formulas by their values.

    Raises InputError for a name that the recipe does not have.
    """
    if isinstance(value, dict):
        if set(value) == {"formula", "inputs"}:
            return formula_named(str(value["formula"]))(resolve(entry, value["inputs"]))
        return {key: resolve(entry, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(entry, inner) for inner in value]
    if not isinstance(value, str) or value.partition(".")[0] not in _PLACES or " " in value:
        return value
    place, *names = value.split(".")
    found: Any = getattr(entry, place)
    for name in names:
        found = found.value if hasattr(found, "value") else found
        key: Any = int(name) if isinstance(found, list) and name.isdecimal() else name
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError):
            raise InputError(N_("The recipe has no value called {name}."), name=value) from None
    return found.value if hasattr(found, "value") else found


def _status(spec: CheckSpec, claimed: Any, answers: list[Any]) -> Status:
    """info without a claim; else holds or fails; implausible when a number lies outside the plausible
    range.
    """
    if spec.plausible is not None:
        low, high = spec.plausible
        if any(isinstance(answer, int | float) and not low <= answer <= high for answer in answers):
            return "implausible"
    if claimed is None or not spec.compare:
        return "info"
    return "holds" if agrees(claimed, answers, spec.tolerance) else "fails"


def agrees(claimed: Any, answers: list[Any], tolerance: float) -> bool:
    """Whether every answer equals the claim within a relative tolerance, lies in the claimed range [low,
    high], or is the same text.
    """
    claimed, answers = _seconds(claimed), [_seconds(answer) for answer in answers]
    if isinstance(claimed, list) and len(claimed) == 2 and all(_is_number(side) for side in claimed):
        low, high = claimed
        return all(
            _is_number(answer) and low * (1 - tolerance) <= answer <= high * (1 + tolerance) for answer in answers
        )
    if _is_number(claimed):
        return all(_is_number(answer) and math.isclose(answer, claimed, rel_tol=tolerance) for answer in answers)
    return all(answer == claimed for answer in answers)


def _seconds(value: Any) -> Any:
    """A clock text such as 2:02:51 as seconds; anything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"\d+:\d\d:\d\d", value):
        hours, minutes, seconds = (int(part) for part in value.split(":"))
        return hours * 3600 + minutes * 60 + seconds
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rounded(value: Any) -> Any:
    """Six significant digits are more than any check needs; whole numbers stay whole."""
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value) and value:
        return round(value, 5 - math.floor(math.log10(abs(value))))
    return value
