"""The short form of a run: what it starts from, what matters, and the next step that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import streamlit as st

from lab import spec as specs
from lab.catalogue.recipes import recipes
from lab.errors import InputError, LabError
from lab.models import facts_of
from lab.runs import beforehand, chain
from lab.spec import RunSpec, setting_at
from lab.text import N_
from lab.ui import draft, fits, forms
from lab.ui.estimate import Estimate
from lab.ui.language import _

GROUPS = {
    "": N_("Run"),
    "model": N_("Model"),
    "method": N_("Method"),
    "data": N_("Data"),
    "preparation": N_("Preparation"),
    "tasks": N_("Tasks"),
    "preference": N_("Preference"),
    "schedule": N_("Schedule"),
    "regularisation": N_("Regularisation"),
    "evaluation": N_("Evaluation"),
    "checkpoints": N_("Checkpoints"),
    "resources": N_("Resources"),
    "speed": N_("Speed"),
    "engine": N_("Engine"),
}

# Settings whose default always runs, whatever a recipe made for another machine asks for.
SETTLED_BY_DEFAULT = (
    "task",
    "model.quantization",
    "method.name",
    "data.packing",
    "schedule.optimizer",
    "schedule.warmup",
    "regularisation.label_smoothing",
    "regularisation.neftune_alpha",
    "resources.devices",
    "resources.precision",
    "engine.name",
)


def recipe_choice() -> None:
    """Which recipe the settings start from; a data set that the person chose stays."""
    key = "draft-recipe"
    st.session_state[key] = draft.recipe_id()
    names = {one.id: one.name for one in recipes()}
    st.selectbox(
        _("Start from"),
        ["", *names],
        key=key,
        format_func=lambda code: names.get(code, code) if code else _("the lab's defaults"),
        help=_("A recipe of the catalogue. Settings that you change are marked, with the way back."),
        on_change=_recipe_chosen,
        args=(key,),
    )


def _recipe_chosen(key: str) -> None:
    _say_lost(draft.start_over(str(st.session_state[key])))


def _reset_all() -> None:
    _say_lost(draft.start_over(draft.recipe_id()))


def _say_lost(lost: Sequence[str]) -> None:
    if lost:
        names = ", ".join(in_sentence(_(setting_at(path).label)) for path in lost)
        st.toast(_("Your own values were taken back: {names}.", names=names), icon=":material/undo:")


def length_path() -> str:
    """The setting that decides how long the run is: a number of steps where there is one, else epochs."""
    return "schedule.epochs" if draft.shown("schedule.max_steps") is None else "schedule.max_steps"


def expert(spec: RunSpec, shown: Sequence[str], problems: Mapping[str, LabError]) -> None:
    """Every other setting that goes with the task and the method, by group, one click away."""
    changed = [path for path in draft.own_paths() if path not in shown]
    label = _("Expert settings")
    if changed:
        label += " · " + _("{count} changed", count=len(changed))
    with st.expander(label, icon=":material/tune:", key="expert", on_change="rerun") as opened:
        if not opened.open:
            return
        kept = {*changed, *problems}  # what was changed or is wrong is never hidden
        groups = {
            group: [path for path in paths if path in kept or fits.applies(path, spec)]
            for group, paths in forms.expert_paths(shown).items()
        }
        groups = {group: paths for group, paths in groups.items() if paths}
        chosen = st.pills(
            _("Group"),
            list(groups),
            default=next(iter(groups)),
            required=True,
            key="expert-group",
            format_func=lambda group: _(GROUPS.get(group or "", (group or "").capitalize())),
            label_visibility="collapsed",
        )
        forms.group(groups.get(str(chosen or ""), []), problems=problems)
        if any(path != "data.source" for path in draft.own_paths()):
            label = _("Reset all settings")
            st.button(label, icon=":material/undo:", type="tertiary", key="expert-reset", on_click=_reset_all)


def refused(spec: RunSpec) -> list[InputError]:
    """What keeps the draft from running: contradictions, what this version does not run, what model and data forbid."""
    found: list[InputError] = []
    try:
        specs.check(spec)
    except InputError as error:
        found += getattr(error, "problems", [error])
    with suppress(LabError):  # a model or data set that is not there is told at its own field
        found += beforehand.problems(spec, facts_of(chain.resolved(spec)[0].model.source))
    for problem in found:
        if problem.where in (spec.data.source, *spec.tasks.sources.values()):  # rows of another kind
            problem.where = "tasks.sources" if spec.task == "multi-task" else "data.source"
    return found


def missing_step(spec: RunSpec, now: Estimate) -> str:
    """The next step before a run can start, as the label of its button; empty when nothing is missing."""
    if not spec.model.source.strip():
        return _("Choose a model")
    if now.model_error or "model.source" in draft.wrong():
        return _("Choose another model")
    if not _has_data(spec):
        return _("Choose the data")
    if now.data_error:
        return _("Choose other data")
    wrong = [*draft.wrong(), *(problem.where for problem in refused(spec))]
    return _("Correct the {setting}", setting=in_sentence(_(setting_at(wrong[0]).label))) if wrong else ""


def _has_data(spec: RunSpec) -> bool:
    """Whether there is something to learn from: for each task, where there are several."""
    if spec.task != "multi-task":
        return bool(spec.data.source.strip())
    return bool(spec.tasks.sources) and all(source.strip() for source in spec.tasks.sources.values())


def short_label(spec: RunSpec, missing: str) -> str:
    """The label of the button for a short run: its length, or the step that is missing."""
    if missing:
        return _("Short run: {step}", step=in_sentence(missing))
    return _("Start a short run ({steps} steps)", steps=spec.schedule.short_steps)


def in_sentence(label: str) -> str:
    """A label inside a sentence: "learning rate", but still "LoRA rank"."""
    first = label.split(" ")[0]
    return label if any(letter.isupper() for letter in first[1:]) else label[:1].lower() + label[1:]
