"""The learning-rate test on the train page: start it, watch it, see its curves, take its rate with one click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from lab.errors import LabError, from_dict
from lab.runs import client, find_lr
from lab.runs.view import RunView, read_run
from lab.spec import RunSpec
from lab.ui import actions, charts, draft
from lab.ui.format import duration, learning_rate
from lab.ui.language import _, say
from lab.ui.layout import error_card, facts
from lab.ui.theme import colours

LOOKED_AT = 20  # newest tests among which the one of this setup is looked for


def panel(spec: RunSpec, *, ready: bool) -> None:
    """The test of this setup, in a part that is closed at first; `ready` says that the setup could run."""
    label, icon = _("Find the learning rate"), ":material/ssid_chart:"
    with st.expander(label, icon=icon, key="find-lr", on_change="rerun") as opened:
        if not opened.open:
            return
        st.caption(
            _(
                "Trains a few steps with a growing rate, three times in another order, and keeps nothing of it. "
                "A good rate is where the loss falls fastest, well below where it explodes."
            )
        )
        view = newest(spec)
        if view is None or view.ended:
            _start(spec, ready=ready)
        if view is not None and not view.ended:
            st.fragment(_watch, run_every=1.0)(view.run)
        elif view is not None:
            _ended(view)


def newest(spec: RunSpec) -> RunView | None:
    """The newest test with this model, data and method."""
    for row in client.list_runs(kinds=(find_lr.KIND,), limit=LOOKED_AT):
        try:
            view = read_run(row.id)
            if view.spec is not None and _setup(view.spec) == _setup(spec):
                return view
        except LabError:
            continue  # deleted a moment ago, or made by another version of the lab
    return None


def _setup(spec: RunSpec) -> tuple[str, ...]:
    return spec.task, spec.model.source, spec.data.source, spec.method.name, spec.schedule.optimizer


def _start(spec: RunSpec, *, ready: bool) -> None:
    steps = st.number_input(
        _("Steps of a sweep"), 10, find_lr.MOST_STEPS, 100, step=10, key="find-lr-steps",
        help=_("Optimizer steps from the lowest rate to the highest; more give a finer curve and take longer."),
    )  # fmt: skip
    label = _("Start the test")
    if st.button(label, icon=":material/play_arrow:", key="find-lr-start", disabled=not ready):
        try:
            find_lr.submit(spec, find_lr.Sweep(steps=int(steps)), key=actions.press_key("find-lr"))
        except LabError as error:
            error_card(error)
            return
        actions.pressed("find-lr")
        st.rerun()


def _watch(run: str) -> None:
    view = read_run(run)
    if view.ended:
        st.rerun()
    eta = view.progress.get("eta_s")
    text = _("{time} left", time=duration(eta)) if eta is not None else _("Waiting for its turn")
    st.progress(min(1.0, float(view.progress.get("done") or 0.0)), text=text)
    if st.button(_("Stop the test"), icon=":material/stop_circle:", key="find-lr-stop"):
        client.stop(run, discard=True)


def _ended(view: RunView) -> None:
    if view.state == "failed" and view.error:
        error_card(from_dict(view.error))
        return
    if view.state != "succeeded":
        st.caption(say(view.reason) if view.reason else _("The last test was stopped."))
        return
    result = find_lr.summary(view.result)
    _chart(result)
    facts([_pick(_("Steepest fall"), result, "steepest"), _pick(_("A tenth of divergence"), result, "tenth")])
    _take(result["suggested"])


def _pick(label: str, result: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    pick = (result["picks"] or {}).get(name)
    if not pick:
        return label, _("not seen"), ""
    spread = _("{low} to {high}", low=learning_rate(pick["low"]), high=learning_rate(pick["high"]))
    return label, learning_rate(pick["rate"]), spread


def _take(rate: float | None) -> None:
    """The button that puts the rate into the settings."""
    if rate is None:
        st.info(_("The loss neither fell nor exploded: nothing can be said. Try more steps."))
    elif draft.shown("schedule.learning_rate") == rate:
        st.caption(_("Its rate {rate} is in use.", rate=learning_rate(rate)))
    else:
        st.button(
            _("Use {rate}", rate=learning_rate(rate)),
            type="primary",
            icon=":material/check:",
            key="find-lr-use",
            on_click=draft.put,
            args=("schedule.learning_rate", rate),
        )


def _chart(result: Mapping[str, Any]) -> None:
    """The smoothed loss of each sweep over the rate, with both picks as lines."""
    tone, picks = colours(), result["picks"] or {}
    rows = [
        {"rate": rate, "loss": mean, "seed": str(sweep["seed"])}
        for sweep in result["curves"] or []
        for rate, mean in zip(sweep["rates"], sweep["smoothed"], strict=True)
        if mean is not None
    ]
    if not rows:
        return
    first = [sweep["smoothed"][0] for sweep in result["curves"] if sweep["smoothed"]]
    top = 1.6 * max(value for value in first if value is not None)  # an explosion would flatten the rest
    lines = {
        "mark": {"type": "line", "clip": True, "strokeWidth": 2, "color": tone.training, "opacity": 0.8},
        "encoding": {
            "x": {"field": "rate", "type": "quantitative", "scale": {"type": "log"}, "title": _("learning rate"),
                  "axis": {"format": ".0e", "grid": False, "tickCount": 6}},
            "y": {"field": "loss", "type": "quantitative", "scale": {"zero": False, "domainMax": top},
                  "title": _("loss (smoothed), nats"), "axis": {"tickCount": 5, "format": ".2f"}},
            "detail": {"field": "seed"},
            "tooltip": [
                {"field": "rate", "title": _("learning rate"), "format": ".1e"},
                {"field": "loss", "title": _("loss"), "format": ".3f"},
                {"field": "seed", "title": _("seed")},
            ],
        },
    }  # fmt: skip
    names = {
        "steepest": (_("steepest fall"), tone.computed),
        "tenth": (_("a tenth of divergence"), tone.validation),
    }
    found = sorted((picks[name]["rate"], *names[name]) for name in names if picks.get(name))
    marks = [_mark(rate, label, colour, last=place == 1) for place, (rate, label, colour) in enumerate(found)]
    spec = {"data": {"values": rows}, "layer": [lines, *marks], **charts.frame(240)}
    st.vega_lite_chart(spec=spec, width="stretch", key="find-lr-chart", alt=_in_words(result))


def _mark(rate: float, label: str, colour: str, *, last: bool) -> dict[str, Any]:
    """A line at a rate; the label of the right one of two stands right of it, so that they never meet."""
    side = {"align": "left", "dx": 4} if last else {"align": "right", "dx": -4}
    text = {"type": "text", **side, "y": 10, "color": colour, "fontSize": 11}
    x = {"x": {"field": "rate", "type": "quantitative"}}
    return {
        "data": {"values": [{"rate": rate, "label": f"{label} {learning_rate(rate)}"}]},
        "encoding": x,
        "layer": [
            {"mark": {"type": "rule", "strokeDash": [4, 3], "color": colour}},
            {"mark": text, "encoding": {"text": {"field": "label"}}},
        ],
    }


def _in_words(result: Mapping[str, Any]) -> str:
    rate = result["suggested"]
    return _(
        "Loss over the learning rate in {count} sweeps; the rate to take is {rate}.",
        count=len(result["curves"] or []),
        rate=learning_rate(rate) if rate else _("not known"),
    )
