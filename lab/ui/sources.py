"""The models and data sets that a form offers, and what they are called."""

from __future__ import annotations

import streamlit as st

from lab.errors import LabError
from lab.models import facts_of, model_presets
from lab.models.facts import tokenizer_is_here
from lab.models.location import locate
from lab.runs import chain, child, client, registry
from lab.runs.home import is_id
from lab.ui import draft, forms
from lab.ui.language import _
from lab.ui.layout import error_card
from lab.ui.run_list import short_source

RUNS_LOOKED_AT, RUNS_OFFERED = 20, 8  # newest runs whose results the next one may start from
SMALL_MODEL = 2_000_000_000  # parameters; what a single consumer GPU tunes


def models() -> list[str]:
    """The demo, what the newest runs left, the folders in the lab's home, and the small models of the Hub that the
    lab knows by name.
    """
    recipes_own = str(draft.reference("model.source"))
    local = [str(path) for path in registry.local_models()]
    known = [preset.hub for preset in model_presets().values() if preset.parameters <= SMALL_MODEL]
    return list(dict.fromkeys(["demo", *([recipes_own] if recipes_own else []), *_results(), *local, *known]))


def _results() -> list[str]:
    ended = [run.id for run in client.list_runs(limit=RUNS_LOOKED_AT) if run.state == "succeeded"]
    return [run for run in ended if chain.is_offered(run)][:RUNS_OFFERED]


def model_name(source: str) -> str:
    """A model in the list: the demo in words, a run or a folder by its name, a Hub id as it is."""
    if source == "demo":
        return _("demo: small, comes with the lab")
    if is_id(source):
        return _("{name} (result of a run)", name=short_source(source))
    return _("{name} (this machine)", name=short_source(source)) if source.startswith("/") else source


def model_problem() -> LabError | None:
    """Why the model of the draft cannot be used, or None."""
    source = draft.spec().model.source
    try:
        facts_of(chain.place_of(source))
    except LabError as error:
        return error
    return None


def model_field(*, label: str = "", problem: LabError | None = None) -> None:
    """The input for the model, with the models that are known."""
    forms.field("model.source", options=models(), names=model_name, label=label, problem=problem)
    read_architecture()


def read_architecture() -> None:
    """For a Hub model that is only named: fetch its config.json when a person asks for it."""
    source = draft.spec().model.source
    try:
        source = chain.place_of(source)
        facts, place = facts_of(source), locate(source)
    except LabError:
        return  # said at the field
    if facts.parameters is not None or not place.hub_id:
        return
    st.caption(_("The architecture of this model is not known here, so memory and time are not either."))
    if st.button(_("Read its config.json from the Hub"), icon=":material/cloud_download:", key="model-read-config"):
        try:
            child.ask("lab.models.hub", {"id": source}, timeout_s=45, limits={"file": 1 << 22})
        except LabError as error:
            error_card(error)
        else:
            st.rerun()


def is_far(source: str) -> bool:
    """Whether the tokenizer of a model would have to be fetched from the Hub."""
    try:
        return not tokenizer_is_here(source)
    except LabError:
        return False  # no model at all, which is said at its field


def demo_model_button(key: str) -> bool:
    """The way out when a model cannot be had: the one that comes with the lab."""
    pressed = st.button(_("Use the demo model"), icon=":material/check:", key=key)
    if pressed:
        draft.put("model.source", "demo")
    return pressed


def data_sets() -> list[str]:
    """The demo set, the prepared sets, and what the recipe names."""
    recipes_own = str(draft.reference("data.source"))
    prepared = [str(record["id"]) for record in registry.datasets()]
    return list(dict.fromkeys(["demo", *prepared, *([recipes_own] if recipes_own else [])]))


def data_name(source: str) -> str:
    """A data set in the list: the demo in words, a prepared set by its name."""
    if source == "demo":
        return _("demo: questions about Python's modules")
    if not is_id(source):
        return source
    try:
        return _("{name} (prepared)", name=registry.dataset(source).get("name") or source)
    except LabError:
        return source
