"""Time, money and energy of the run on a device, from an assumed or a measured speed and a price of one's own."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from lab.errors import NotFoundError
from lab.planning import formula_named
from lab.planning.costs import Costs, costs
from lab.planning.hardware import Hardware, hardware
from lab.runs import client
from lab.runs.directory import RunDirectory
from lab.text import N_
from lab.ui.estimate import Estimate
from lab.ui.format import duration, gib, number, share
from lab.ui.language import _
from lab.ui.layout import facts

SOURCES = {
    "steps": N_("from the seconds per step"),
    "measured": N_("at the speed of an earlier run"),
    "share": N_("from the share of the peak"),
}
FORMULAS = ("seconds_of_flops", "flop_utilisation", "rental_cost", "energy_kwh")
_ABSURD = 10.0  # times the peak; more digits say nothing
# What can be entered: key of the widget -> lowest and highest value.
BOUNDS = {"plan-mfu": (1.0, 100.0), "plan-step-s": (1e-4, 1e5), "plan-price": (0.0, 1e4)}
_RUNS = 20  # newest runs whose speed is offered


def speed_and_price(now: Estimate) -> None:
    """What decides time and cost, each empty for the usual: share of the peak, seconds per step, price."""
    device = now.made.inputs.hardware
    columns = st.columns(3, vertical_alignment="bottom")
    with columns[0]:
        usual = _("usual: {value}", value=share(device.used_share)) if device else ""
        help = _("The model FLOPs utilisation (MFU).")
        _number("plan-mfu", _("Share of the peak used (%)"), usual, help)
    with columns[1]:
        help = _("Measured by yourself; it takes the place of the share.")
        _number("plan-step-s", _("Seconds per step"), _("from the share"), help)
    with columns[2]:
        list_price = device.price_per_hour if device else None
        usual = _("list price: {price}", price=number(list_price, 2)) if list_price else _("not known")
        help = _(device.price_source) if device else ""
        _number("plan-price", _("Price per device and hour ($)"), usual, help)
    _from_a_run()


def _number(key: str, label: str, usual: str, help: str) -> None:
    """A number of one's own; one that cannot be stays as typed, is said so, and counts as none."""
    st.number_input(
        label, value=None, step=0.01, key=key, placeholder=usual, help=help or None, format="%g",
        persist_state="session",
    )  # fmt: skip
    if st.session_state.get(key) is not None and _own(key) is None:
        low, high = (f"{bound:g}" if bound < 1 else number(bound) for bound in BOUNDS[key])
        sentence = _("Not used: a number from {low} to {high} is needed.", low=low, high=high)
        st.markdown(f":red[:material/error:] {sentence}")


def _own(key: str) -> float | None:
    """What was entered, if it can be."""
    value, (low, high) = st.session_state.get(key), BOUNDS[key]
    return float(value) if value is not None and low <= value <= high else None


def _from_a_run() -> None:
    """The seconds per step of a finished run of one's own."""
    measured = _measured()
    if not measured:
        return
    st.selectbox(
        _("Take the seconds per step from a run"),
        list(measured),
        index=None,
        key="plan-run",
        format_func=lambda run: f"{measured[run][0]}: {number(measured[run][1], 2)} s",
        placeholder=_("choose one"),
        on_change=_take,
        args=(measured,),
    )


def _take(measured: dict[str, tuple[str, float]]) -> None:
    run = st.session_state.get("plan-run")
    if run in measured:
        st.session_state["plan-step-s"] = measured[run][1]


@st.cache_data(ttl=20, max_entries=1, show_spinner=False)
def _measured() -> dict[str, tuple[str, float]]:
    """The finished runs with their names and measured seconds per step, newest first."""
    found = {}
    for row in client.list_runs(limit=_RUNS):
        if row.state != "succeeded":
            continue
        try:
            result = RunDirectory.of(row.id).result
        except NotFoundError:
            continue  # deleted a moment ago
        seconds = ((result or {}).get("throughput") or {}).get("step_s")
        if seconds:
            found[row.id] = (row.name or row.id, float(seconds))
    return found


def options() -> dict[str, Any]:
    """The person's own speed and price as `costs` takes them."""
    return {
        "used_share": _share(),
        "seconds_per_step": _own("plan-step-s"),
        "price_per_hour": _own("plan-price"),
    }


def of(now: Estimate) -> Costs:
    """Time, cost and energy of the plan with the person's own speed and price."""
    return costs(now.made, **options())


def _share() -> float | None:
    percent = _own("plan-mfu")
    return None if percent is None else percent / 100


def own_speed() -> bool:
    """Whether the person entered a speed."""
    return _own("plan-step-s") is not None or _share() is not None


def summary(now: Estimate) -> None:
    """Time, device-hours, cost and energy, and what the time says about the speed."""
    found = of(now)
    facts(
        [
            (_("Time"), duration(found.time_s), _(SOURCES[found.time_source]) if found.time_s else ""),
            (_("Device-hours"), number(found.gpu_hours, 1 if (found.gpu_hours or 1) >= 1 else 2), ""),
            (_("Cost"), _dollars(found.cost), _price(found)),
            (_("Energy"), _energy(found.energy_kwh), _("at full power") if found.energy_kwh else ""),
            (_("Share of the peak"), _share_in_words(found.used_share), ""),
        ]
    )
    if found.time_s is None and now.made.steps and now.made.inputs.hardware is None:
        st.caption(_("Enter the speed of the GPU or the seconds per step, and a price: time and cost follow."))
    if found.possible is False:
        st.markdown(f":orange[:material/warning:] {too_fast(now)}")
    if found.price_source and _own("plan-price") is None:
        st.caption(_("Price: {source}", source=_(found.price_source)))
    with st.expander(_("How these are computed"), type="compact", key="how-costs"):
        for name in FORMULAS:
            used = formula_named(name)
            st.text(_(used.expression).replace(" x ", " × "))
            st.caption(_("Source: {source}", source=_(used.source)))


def _share_in_words(used: float | None) -> str:
    if used is not None and used > _ABSURD:
        return _("over {share}", share=share(_ABSURD))
    return share(used, 1)


def too_fast(now: Estimate) -> str:
    """Why a time cannot be, and what to look at."""
    mean = now.made.inputs.mean_tokens
    sentence = _("That is faster than the device can compute, so there is no cost: check the seconds and the devices.")
    if "tokens_per_example" not in now.made.inputs.assumptions:
        return sentence
    length = _("Examples of {count} tokens, the maximum length, are assumed: are yours shorter?", count=number(mean))
    return f"{sentence} {length}"


def on_each(on_gpu: Estimate) -> None:
    """The same run on each known GPU: whether it fits, time, cost and energy, the cheapest first."""
    needed = on_gpu.made.memory.total_gib
    rows = []
    for preset in hardware().values():
        if preset.kind == "cpu":
            continue
        found = costs(on_gpu.made, preset, used_share=_share())
        rows.append(_line(preset, found, needed))
    rows.sort(key=lambda row: (row[_("Fits")] != _("yes"), row["$"] is None, row["$"] or 0.0))
    with st.expander(_("Time and cost on each GPU"), type="compact", icon=":material/table_rows:"):
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            key="plan-each",
            column_config={
                "$": st.column_config.NumberColumn(_("Cost ($)"), format="%.2f"),
                "kWh": st.column_config.NumberColumn(_("Energy (kWh)"), format="%.2f"),
            },
        )


def _line(preset: Hardware, found: Costs, needed: float | None) -> dict[str, object]:
    fits = None if needed is None or preset.memory_gib is None else needed <= preset.memory_gib
    return {
        "GPU": preset.name,
        _("Memory"): gib(preset.memory_gib),
        _("Fits"): _("not known") if fits is None else _("yes") if fits else _("no"),
        _("Time"): duration(found.time_s),
        "$": found.cost,
        "kWh": found.energy_kwh,
    }


def _dollars(cost: float | None) -> str:
    if cost is None:
        return _("not known")
    return f"{number(cost, 2)} \\$" if cost >= 0.005 else _("under 1 cent")


def _energy(kwh: float | None) -> str:
    if kwh is None:
        return _("not known")
    return f"{number(kwh, 1)} kWh" if kwh >= 1 else f"{number(kwh * 1000)} Wh"


def _price(found: Costs) -> str:
    if found.price_per_hour is None:
        return ""
    return _("{price} an hour", price=f"{number(found.price_per_hour, 2)} \\$")
