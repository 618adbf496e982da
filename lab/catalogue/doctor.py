"""The doctor: a setup against published runs, the documents' common errors, and itself.

It reuses the planner's verdicts and suggestions and adds what they do not look at. Every finding carries at most one
change, so that one click applies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.catalogue import doctor_conflicts, doctor_rules
from lab.catalogue.disagreements import disagreements
from lab.catalogue.doctor_parts import Case, Disagreement, Finding, Level, Row, Said, Suggestion
from lab.catalogue.doctor_table import table
from lab.catalogue.exchange.imported import Imported
from lab.catalogue.neighbours import Neighbour, nearest
from lab.models import ModelFacts
from lab.planning import Plan
from lab.planning.suggestions import suggestion
from lab.planning.verdicts import Verdict
from lab.spec import RunSpec, with_overrides
from lab.text import N_

_ORDER: dict[Level, int] = {"error": 0, "warning": 1, "info": 2}

# The numbers of document 000's common errors, by the verdict that sees them: (field, status).
_ERRORS = {
    ("schedule.learning_rate", "high"): 1,
    ("schedule.accumulation", "low"): 3,
    ("schedule.max_grad_norm", "warning"): 4,
    ("schedule.epochs", "high"): 5,
    ("schedule.epochs", "error"): 5,
    ("schedule.max_steps", "high"): 5,
    ("schedule.max_steps", "error"): 5,
}

# A finding that says more than the planner's verdict on the same setting takes its place.
_SAYS_MORE = {
    "lora-at-full-rate": "schedule.learning_rate",
    "full-at-lora-rate": "schedule.learning_rate",
    "conflict:schedule.learning_rate": "schedule.learning_rate",
    "warmup-longer-than-run": "schedule.warmup",
    "conflict:schedule.warmup": "schedule.warmup",
    "batch-larger-than-data": "schedule.accumulation",
}


@dataclass(frozen=True)
class Report:
    """What the doctor found: the table, findings (worst first), nearest runs, and where sources disagree."""

    rows: list[Row]
    findings: list[Finding]
    nearest: list[Neighbour]
    disagreements: list[Disagreement]

    def as_dict(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        return {
            "rows": [row.as_dict() for row in self.rows],
            "findings": [finding.as_dict() for finding in self.findings],
            "nearest": [neighbour.as_dict() for neighbour in self.nearest],
            "disagreements": [entry.as_dict() for entry in self.disagreements],
        }


def examine(spec: RunSpec, plan: Plan, facts: ModelFacts | None = None, *, imported: Imported | None = None) -> Report:
    """Judge a setup by its plan.

    `imported` adds what only the file of another tool can say (whether it evaluates, what padding is). `facts` are
    the model's, the plan's own where they are not given.
    """
    signs = imported.signs if imported else {}
    stated = frozenset(imported.values) if imported else None
    case = Case(spec, plan, facts or plan.inputs.facts, signs, stated)
    found = [found for rule in (*doctor_conflicts.RULES, *doctor_rules.RULES) for found in rule(case)]
    found = _without_repeats(found)
    told = {_SAYS_MORE.get(entry.code) for entry in found}
    found += [_of_verdict(one, plan) for one in plan.verdicts if one.status != "ok" and one.field not in told]
    found.sort(key=lambda entry: _ORDER[entry.level])
    return Report(table(case), found, nearest(case), disagreements(case))


def apply(spec: RunSpec, finding: Finding) -> RunSpec:
    """The spec with the suggestion of a finding in place; unchanged where it has none."""
    return with_overrides(spec, finding.suggestion.change) if finding.suggestion else spec


def _of_verdict(verdict: Verdict, plan: Plan) -> Finding:
    """A verdict of the planner as a finding, with the planner's own suggestion."""
    change = suggestion(verdict, plan)
    number = _ERRORS.get((verdict.field, verdict.status))
    level: Level = "error" if verdict.status == "error" else "warning"
    if verdict.status == "info" or (verdict.status, verdict.field) == ("low", "schedule.accumulation"):
        level = "info"  # "far too small" in document 000, what QLoRA and BERT use in the literature
    reason = Said(_reason(verdict), verdict.source, dict(verdict.values))
    return Finding(
        f"verdict:{verdict.field}", verdict.field, level, Said(verdict.template, verdict.source, verdict.values),
        Suggestion(change, reason) if change else None, number,
    )  # fmt: skip


def _reason(verdict: Verdict) -> str:
    return {
        "schedule.learning_rate": N_("The default for this method and size."),
        "schedule.max_steps": N_("Three epochs of these examples."),
        "schedule.epochs": N_("Three epochs, as Alpaca and Vicuna have it."),
        "schedule.accumulation": N_("The nearest end of the usual range."),
        "schedule.warmup": N_("3 % of the steps, as Alpaca, Vicuna and QLoRA have it."),
        "schedule.weight_decay": N_("The upper end of published runs."),
        "schedule.max_grad_norm": N_("The default of the Trainer and of TRL."),
        "method.target_modules": N_("All linear layers, which learned best at the same size."),
        "data.max_length": N_("As many tokens as the model has positions."),
        "resources.device": N_("Then the run fits."),
    }.get(verdict.field, N_("The planner's suggestion."))


def _without_repeats(found: list[Finding]) -> list[Finding]:
    """One finding for each change: the worst of those that suggest the same."""
    kept: list[Finding] = []
    for entry in sorted(found, key=lambda entry: _ORDER[entry.level]):
        change = entry.suggestion.change if entry.suggestion else None
        if change is None or all(other.suggestion is None or other.suggestion.change != change for other in kept):
            kept.append(entry)
    return kept
