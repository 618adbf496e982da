"""The plan on the screen: your numbers in, and what follows from them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from lab.catalogue.recipes import recipe, run_spec
from lab.ui import bars, charts, cost_view, draft, estimate, forms, plan_advice, plan_details, sources, start_form
from lab.ui.estimate import Estimate
from lab.ui.format import duration, gib, number, share
from lab.ui.language import _
from lab.ui.layout import error_card, facts
from lab.ui.plan_details import MEMORY_PARTS
from lab.ui.plan_findings import former_values, verdicts

NUMBERS = ("data.examples", "schedule.per_device_batch", "schedule.accumulation", "resources.devices")
SCHEDULE = ("schedule.warmup", "schedule.scheduler", "schedule.weight_decay", "schedule.max_grad_norm")
# Settings that only some schedulers have.
SHAPES = {
    "schedule.floor": ("cosine-with-floor", "wsd", "polynomial"),
    "schedule.decay": ("wsd",),
}
METHOD = (
    "method.name",
    "method.rank",
    "method.alpha",
    "model.quantization",
    "data.max_length",
    "schedule.optimizer",
    "resources.precision",
    "resources.gradient_checkpointing",
)


def inputs() -> None:
    """The recipe, your own numbers, and the rest one click away."""
    start_form.recipe_choice()
    sources.model_field(problem=sources.model_problem())
    length = start_form.length_path()
    forms.group(NUMBERS)
    _length_choice()
    forms.group([length, "schedule.learning_rate"])
    with st.expander(_("Warmup, scheduler and regularisation"), icon=":material/show_chart:"):
        shape = [path for path, schedulers in SHAPES.items() if draft.shown("schedule.scheduler") in schedulers]
        forms.group([*SCHEDULE[:2], *shape, *SCHEDULE[2:]])
    with st.expander(_("Method and memory"), icon=":material/tune:"):
        forms.group(METHOD)


def _length_choice() -> None:
    key = "plan-length"
    st.session_state[key] = "epochs" if start_form.length_path() == "schedule.epochs" else "steps"
    st.segmented_control(
        _("Length of the run"),
        ["epochs", "steps"],
        required=True,
        key=key,
        format_func=lambda code: {"epochs": _("in epochs"), "steps": _("in optimizer steps")}[code],
        on_change=_length_changed,
        args=(key,),
        width="stretch",
    )


def _length_changed(key: str) -> None:
    if st.session_state[key] == "epochs":
        draft.put("schedule.max_steps", None)
    else:
        draft.put("schedule.max_steps", estimate.of(draft.spec()).made.steps or 1000)


def results(now: Estimate) -> None:
    """The answer first: facts, findings, curve, memory, and the way each number was computed."""
    if now.model_error:
        error_card(now.model_error)
    former_values()
    facts(_beside_the_recipe(now))
    verdicts(now)
    plan_advice.what_if_line(now)
    st.subheader(_("Learning rate over the run"), anchor=False)
    if now.curve:
        charts.schedule(now.curve, key="plan-schedule", warmup=now.plan["warmup_steps"] or 0)
    else:
        st.caption(_("The curve needs the number of steps: enter the examples, or the length in optimizer steps."))
    plan_advice.rate(now)
    plan_advice.data(now)
    st.subheader(_("Memory per device"), anchor=False)
    memory(now)
    st.subheader(_("How the numbers are computed"), anchor=False)
    with st.container(gap="xxsmall"):
        plan_details.derivations(now)
        plan_details.published(now)
        plan_details.tables(now)


def short_facts(now: Estimate) -> None:
    """The numbers that a person should see before the start."""
    every = {row[0]: row for row in _facts(now)}
    shown = [
        _("Effective batch"),
        _("Optimizer steps"),
        _("Trained share"),
        _("Memory"),
        _("Time"),
        _("Epochs"),
    ]
    facts([every[name] for name in shown])


def _facts(now: Estimate) -> list[tuple[str, str, str]]:
    plan, spec = now.plan, now.spec
    size = (spec.schedule.per_device_batch, spec.schedule.accumulation, spec.resources.devices)
    trainable, total = plan["trainable"], plan["memory"]["total_gib"]
    return [
        (_("Effective batch"), number(plan["effective_batch"]), " × ".join(map(number, size))),
        (_("Optimizer steps"), number(plan["steps"]), _examples(plan)),
        (_("Epochs"), _epochs(plan["epochs"]), ""),
        (_("Warmup"), _steps(plan["warmup_steps"]), _share_of(plan["warmup_steps"], plan["steps"])),
        (
            _("Learning-rate ratio"),
            _("{ratio} to 1", ratio=number(now.ratio, 0 if (now.ratio or 0) >= 10 else 1))
            if now.ratio
            else _("not known"),
            _("pre-training to yours"),
        ),
        (
            _("Trained share"),
            share(trainable["share"], 0 if trainable["share"] == 1 else 2),
            _("{count} parameters", count=_short(trainable["parameters"])) if trainable["parameters"] else "",
        ),
        (_("Memory"), gib(total), _memory_note(now)),
        (_("Time"), duration(plan["time_s"]), _time_note(plan)),
    ]


def _beside_the_recipe(now: Estimate) -> list[tuple[str, str, str]]:
    """The facts; where own numbers change one of them, the recipe's stands below."""
    own = _facts(now)
    if cost_view.own_speed():
        found = cost_view.of(now)
        note = _(cost_view.SOURCES[found.time_source])
        if found.possible is False:
            note = _("faster than the device can compute")
        own[-1] = (own[-1][0], duration(found.time_s), note)
    if not (draft.recipe_id() and draft.own_paths()):
        return own
    of_recipe = _facts(estimate.of(run_spec(recipe(draft.recipe_id()))))
    return [
        row if row[1] == reference[1] else (row[0], row[1], _("recipe: {value}", value=reference[1]))
        for row, reference in zip(own, of_recipe, strict=True)
    ]


def _examples(plan: dict[str, Any]) -> str:
    count = plan.get("examples")
    if count and plan.get("packs"):
        return _("{count} examples in {packs} packs", count=number(count), packs=number(plan["packs"]))
    return _("{count} examples", count=number(count)) if count else _("number of examples not known")


def _epochs(count: float | None) -> str:
    """Epochs as 3, 42.1 or 0.42."""
    part = (count or 0) % 1
    return number(count, 0 if not part else 2 if (count or 0) < 1 else 1)


def _steps(count: int | None) -> str:
    return _("not known") if count is None else _("{count} steps", count=number(count))


def _share_of(part: int | None, whole: int | None) -> str:
    return _("{share} of the run", share=share(part / whole, 1)) if part is not None and whole else ""


def _short(count: int) -> str:
    """A number of parameters as 6.6 M or 1.2 G."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{number(count / size, 1)} {letter}"
    return number(count)


def _memory_note(now: Estimate) -> str:
    size, name = now.limit
    return _("of {size}, {name}", size=gib(size), name=name) if size else _("per device")


def _time_note(plan: dict[str, Any]) -> str:
    if plan["time_s"] is None:
        return ""
    if "throughput" in plan["assumptions"]:
        return _("assumed speed")
    return _("at the speed of an earlier run")


def memory_parts(now: Estimate) -> dict[str, float]:
    """The parts of the memory in GiB by their names in words; nothing when one of them is not known."""
    terms = {name: value for name, value in now.plan["memory"].items() if name != "total_gib"}
    if any(value is None for value in terms.values()):
        return {}
    parts: dict[str, float] = {}
    for name, value in terms.items():
        label = _(MEMORY_PARTS.get(name, name))
        parts[label] = parts.get(label, 0.0) + value
    return parts


def memory(now: Estimate) -> None:
    """The parts of the memory as one bar against the device, or what is missing to know them."""
    parts = memory_parts(now)
    if not parts:
        st.caption(_("Memory is not known: the lab knows too little about this model."))
        return
    size, device = now.limit
    total = now.plan["memory"]["total_gib"]
    text = _("{total} in all, of {limit} on {device}.", total=gib(total), limit=gib(size), device=device)
    bars.memory_bar(parts, key="plan-memory", limit=size, limit_name=device, alt=text)
    st.caption(text)
