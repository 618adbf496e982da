"""What stands behind a run: plan and measurement, curves, log, settings, checkpoints, and the data of the charts."""

from __future__ import annotations

import streamlit as st

from lab import spec as specs
from lab.catalogue.recipes import recipe, run_spec
from lab.errors import NotFoundError
from lab.runs.view import RunView, series
from lab.spec import RunSpec
from lab.ui import charts, run_plan
from lab.ui.format import gib
from lab.ui.language import _, say
from lab.ui.theme import colours


def details(view: RunView) -> None:
    """Curves, plan and measurement, log, settings, and checkpoints, each one click away."""
    curves, plan, log, settings, checkpoints, table = st.tabs(
        [
            _("Speed and learning rate"),
            _("Plan and measured"),
            _("Notes and log"),
            _("Settings"),
            _("Checkpoints"),
            _("Data of the charts"),
        ],
        key="run-tabs",
        on_change="rerun",
    )
    if curves.open:
        with curves:
            _curves(view)
    if plan.open:
        with plan:
            run_plan.panel(view)
    if log.open:
        with log:
            _log(view)
    if settings.open:
        with settings:
            _settings(view)
    if checkpoints.open:
        with checkpoints:
            _checkpoints(view)
    if table.open:
        with table:
            _table(view)


def _curves(view: RunView) -> None:
    tone = colours()
    for name, label, form in (
        ("learning_rate", _("Learning rate"), ".1e"),
        ("tokens_per_s", _("Tokens per second"), ",.0f"),
        ("grad_norm", _("Gradient norm"), ".2f"),
        ("rewards/margins", _("Margin of the better answers"), ".2f"),
        ("rewards/accuracies", _("Share of a batch in which the better answer is preferred"), ".2f"),
    ):
        points = series(view, name, 500)
        if points:
            st.caption(label)
            charts.line(
                {"": (points, tone.base, False)},
                key=f"run-{name}",
                alt=_("{what} over the optimizer steps.", what=label),
                x_title=_("optimizer step"),
                y_format=form,
                height=130,
                x_max=view.goal,
            )


def _log(view: RunView) -> None:
    """What the run found worth telling, and what its worker printed."""
    for note in view.notes:
        step = note.get("step")
        st.text((_("Step {step}:", step=step) + " " if step is not None else "") + say(note))
    printed = view.directory.log_text(tail=200)
    if printed:
        st.code(printed, language=None, height=320)
    else:
        st.caption(_("Nothing was printed."))


def _settings(view: RunView) -> None:
    file = view.directory.path / "spec.yaml"
    if view.spec is None:
        if view.directory.has_spec:  # the page says at its top why it cannot be read
            st.code(file.read_text(encoding="utf-8", errors="replace"), language="yaml")
        return
    st.caption(_("The same run on the command line:"))
    st.code(f"python -m lab train --spec {file}", language=None, wrap_lines=True)
    if view.spec.recipe:
        _difference(view.spec)
    with st.expander("spec.yaml", icon=":material/description:"):
        st.code(specs.dump(view.spec), language="yaml")


def _difference(spec: RunSpec) -> None:
    """In which settings a run differs from its recipe."""
    try:
        differences = specs.difference(run_spec(recipe(spec.recipe)), spec)
    except NotFoundError:
        differences = {}
    rows = [
        {_("setting"): path, _("recipe"): str(before), _("run"): str(after)}
        for path, (before, after) in differences.items()
        if path not in ("name", "recipe")
    ]
    st.caption(_("Difference from the recipe:") if rows else _("As the recipe has it."))
    if rows:
        st.dataframe(rows, hide_index=True)


def _checkpoints(view: RunView) -> None:
    sealed = view.directory.sealed_checkpoints()
    if not sealed:
        st.caption(_("No checkpoint is sealed yet."))
        return
    st.caption(_("Each is sealed with the size and sha256 of its files; a run resumes from the newest that verifies."))
    st.dataframe(
        [
            {
                _("step"): checkpoint.step,
                _("size"): gib(sum(file.stat().st_size for file in checkpoint.path.iterdir()) / 2**30),
            }
            for checkpoint in sealed
        ],
        hide_index=True,
        width="content",
    )


def _table(view: RunView) -> None:
    steps: dict[int, dict[str, float | None]] = {}
    for name, points in view.series.items():
        for step, value in points:
            steps.setdefault(step, {})[name] = value
    rows = [{"step": step, **values} for step, values in sorted(steps.items())]
    st.dataframe(rows, hide_index=True, height=320)
