"""The doctor's table: each parameter that has a usual range, its value, its place in the range, and why."""

from __future__ import annotations

import math
from typing import Any

from lab.catalogue.doctor_parts import Case, Row, Said
from lab.planning.verdicts import BANDS, FEW_ROWS, Verdict
from lab.spec import setting_at
from lab.text import N_

WITHIN = N_("{value:g} is within the usual {low:g} to {high:g}.")
BELOW = N_("{value:g} is below the usual {low:g} to {high:g}.")
ABOVE = N_("{value:g} is above the usual {low:g} to {high:g}.")


def table(case: Case) -> list[Row]:
    """One row for each parameter that has a value here."""
    rows = [_rate(case), _batch(case), _epochs(case), _warmup(case)]
    schedule, data = case.spec.schedule, case.spec.data
    rows.append(_row(case, "schedule.weight_decay", schedule.weight_decay, 0.0, 0.1, 0.0,
                     "Alpaca, Vicuna, QLoRA: 0; BERT: 0.01; Llama 2: 0.1"))  # fmt: skip
    rows.append(_row(case, "schedule.max_grad_norm", schedule.max_grad_norm, 0.2, 1.0, 1.0,
                     "TRL: 1.0; QLoRA: 0.3; SmolLM3: 0.2; H2O: 0"))  # fmt: skip
    if case.adapter:
        rows += _adapter(case)
    if data.source != "demo":  # the demo brings its own split
        rows.append(_row(case, "data.validation_share", data.validation_share, 0.05, 0.2, 0.1, "usual practice"))
    positions = case.facts.positions
    if positions:
        rows.append(_row(case, "data.max_length", data.max_length, 8, positions, None,
                         "config.json of the model", log=True))  # fmt: skip
    return [row for row in rows if row is not None]


def position(value: float, low: float, high: float, *, log: bool = False) -> float:
    """Place of a value in a range from 0 to 1; values outside stand at its ends."""
    if log and value > 0 and low > 0:
        value, low, high = math.log(value), math.log(low), math.log(high)
    if high <= low:
        return 0.5
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _rate(case: Case) -> Row | None:
    usual = case.plan.learning_rate_range
    if usual is None:
        return None
    return _row(case, "schedule.learning_rate", case.plan.learning_rate, usual.low, usual.high, usual.default,
                usual.source, log=True)  # fmt: skip


def _batch(case: Case) -> Row | None:
    kind = "lora" if case.adapter else "encoder" if case.facts.family == "bert" else "full"
    low, high, source = BANDS[kind]
    default = {"lora": 16, "encoder": 16, "full": 64}[kind]
    return _row(case, "schedule.accumulation", case.plan.effective_batch, low, high, default, source, log=True,
                label=N_("Effective batch"))  # fmt: skip


def _epochs(case: Case) -> Row | None:
    if case.plan.epochs is None:
        return None
    few = case.plan.inputs.examples is not None and case.plan.inputs.examples < FEW_ROWS
    field = "schedule.max_steps" if case.spec.schedule.max_steps is not None else "schedule.epochs"
    source = N_("Alpaca: 3; Tulu 3: 2; SmolLM3: 5; LIMA: 15 on 1,000 rows")
    return _row(case, field, case.plan.epochs, 1, 15 if few else 3, 5 if few else 3, source, label=N_("Epochs"))


def _warmup(case: Case) -> Row | None:
    share = case.spec.schedule.warmup
    if case.steps and case.plan.warmup_steps is not None:
        share = case.plan.warmup_steps / case.steps
    elif share >= 1:
        return None  # a number of steps, of a run whose length is not known
    return _row(case, "schedule.warmup", share, 0.0, 0.1, 0.03, "Alpaca, Vicuna, QLoRA: 3 %; BERT, Zephyr: 10 %")


def _adapter(case: Case) -> list[Row | None]:
    method = case.spec.method
    return [
        _row(case, "method.rank", method.rank, 8, 64, 16, "QLoRA: 64; Alpaca-LoRA: 8; up to 256 for large data",
             log=True),
        _row(case, "method.alpha", method.alpha / method.rank, 0.25, 2, 2, "QLoRA: 16 / 64; Alpaca-LoRA: 16 / 8",
             log=True, label=N_("Alpha / rank")),
        _row(case, "method.dropout", method.dropout, 0.0, 0.1, 0.05, "QLoRA: 0.1 up to 13B, 0.05 above"),
    ]  # fmt: skip


def _row(
    case: Case, field: str, value: float, low: float, high: float, default: float | None, source: str, *,
    log: bool = False, label: str = "",
) -> Row:  # fmt: skip
    """A row; its status and sentence are the planner's where it has a verdict on this field."""
    verdict = next((verdict for verdict in case.plan.verdicts if verdict.field == field), None)
    setting = setting_at(field)
    status, why = _judged(verdict, value, low, high, source)
    return Row(field, label or setting.label, value, low, high, default, position(value, low, high, log=log), status,
               why, log, "" if label else setting.unit)  # fmt: skip


def _judged(verdict: Verdict | None, value: float, low: float, high: float, source: str) -> tuple[str, Said]:
    if verdict is not None:
        return verdict.status, Said(verdict.template, verdict.source, verdict.values)
    values: dict[str, Any] = {"value": value, "low": low, "high": high}
    if value < low:
        return "low", Said(BELOW, source, values)
    if value > high:
        return "high", Said(ABOVE, source, values)
    return "ok", Said(WITHIN, source, values)
