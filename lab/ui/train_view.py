"""The form of a run, its summary, and its two ways out of the page: a file and a command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import streamlit as st

from lab import spec as specs
from lab.errors import LabError
from lab.spec import RunSpec, setting_at
from lab.ui import draft, find_lr_view, fits, forms, plan_findings, plan_view, sources, start_form, tasks_form
from lab.ui.estimate import Estimate
from lab.ui.language import _, error_parts
from lab.ui.layout import card

# Settings with a place of their own at the top of the form.
PLACED = ("task", "model.source", "data.source", "tasks.sources", "tasks.kinds")


def problems_by_field(spec: RunSpec, now: Estimate) -> dict[str, LabError]:
    """What keeps the run from starting, by the field at which it is drawn."""
    found: dict[str, LabError] = {problem.where: problem for problem in start_form.refused(spec)}
    if now.model_error:
        found["model.source"] = now.model_error
    if now.data_error:
        found["data.source"] = now.data_error
    return found


def form(problems: Mapping[str, LabError]) -> None:
    """The settings that matter; every other one is in the expert part."""
    spec = draft.run_spec()
    first, second = st.columns(2)
    with first:
        start_form.recipe_choice()
    with second:
        forms.field("task", problem=problems.get("task"))
    sources.model_field(problem=problems.get("model.source"))
    if spec.task == "multi-task":
        tasks_form.field(problems)
    else:
        forms.field(
            "data.source",
            options=sources.data_sets(),
            names=sources.data_name,
            problem=None if fits.misfit(spec) else problems.get("data.source"),
        )
    fits.data_note(spec)
    shown, of_task = shown_paths(spec), fits.of_task(spec)
    alone = of_task[: len(of_task) % 2]  # the first of an odd number has a row of its own
    forms.group(alone, columns=1, problems=problems)
    forms.group(of_task[len(alone) :], problems=problems)
    forms.group([path for path in shown if path not in (*PLACED, *of_task)], problems=problems)
    find_lr_view.panel(spec, ready=not problems and not draft.wrong())
    start_form.expert(spec, (*shown, "data.examples") if draft.size_is_known() else shown, problems)


def shown_paths(spec: RunSpec) -> tuple[str, ...]:
    """The settings of the short form: those of every run, of its method and of its task."""
    own = ["method.name", *fits.of_method(spec)]
    schedule = [start_form.length_path(), "schedule.learning_rate", "schedule.per_device_batch"]
    return tuple(dict.fromkeys([*PLACED, *own, *schedule, *fits.of_task(spec)]))


def hidden_problems(problems: Mapping[str, LabError]) -> None:
    """What keeps the run from starting in the expert part, with one button that puts all of it right."""
    shown = shown_paths(draft.run_spec())
    hidden = {path: problem for path, problem in problems.items() if path not in shown}
    if not hidden:
        return
    with st.container(border=True, key="train-problems"):
        st.markdown(f":red[:material/error:] **{_('These settings keep the run from starting')}**")
        for path, problem in hidden.items():
            what, allowed, following = error_parts(problem)
            st.text(f"{_(setting_at(path).label)}: " + " ".join(filter(None, (what, allowed, following))))
        usual = {path: setting_at(path).default for path in problems if path in start_form.SETTLED_BY_DEFAULT}
        if usual:
            st.button(
                _("Use the values that run today"),
                key="train-fix",
                icon=":material/check:",
                on_click=plan_findings.apply,
                args=(usual,),
            )


def summary(now: Estimate) -> None:
    """What will happen: batch, steps, trainable share, memory, time, and what is worth a second look."""
    wrong = [start_form.in_sentence(_(setting_at(path).label)) for path in draft.wrong()]
    with card(_("What will happen")):
        if wrong:
            st.markdown(
                ":orange[:material/edit:] "
                + _("The numbers come as soon as what was typed can be used: {names}.", names=", ".join(wrong))
            )
            return
        plan_view.short_facts(now)
    plan_findings.verdicts(now, sources=False)


def elsewhere(spec: RunSpec) -> None:
    """The same run as a file and as a command."""
    with st.expander(_("The same run as a file or a command"), icon=":material/terminal:"):
        st.download_button(
            _("Download the settings (YAML)"),
            data=specs.dump_commented(spec),
            file_name=f"{spec.recipe or 'run'}.yaml",
            mime="application/yaml",
            icon=":material/download:",
            key="train-download",
            on_click="ignore",
        )
        st.caption(_("On the command line, with the file:"))
        st.code(f"python -m lab train --spec {spec.recipe or 'run'}.yaml --wait", language=None, wrap_lines=True)
        st.caption(_("Or with its settings spelled out:"))
        st.code(command(spec), language=None, wrap_lines=True)


def command(spec: RunSpec) -> str:
    """The command that starts this run: everything that differs from the defaults, quoted for a shell."""
    changed = specs.difference(RunSpec(), spec)
    pairs = [f"{path}={_value(after)}" for path, (_before, after) in changed.items() if path != "recipe"]
    return " ".join(["python -m lab train --wait", *(f"--set {shlex.quote(pair)}" for pair in pairs)])


def _value(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return ",".join(f"{role}:{column}" for role, column in value.items())
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
