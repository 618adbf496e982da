"""The run that a person is putting together: a recipe and the settings that differ from it.

It lives in the session and, so that a reload or a restart loses nothing, in the lab's home: each browser has its own
file in `drafts/`, and `draft.json` is what was saved last by any of them. A browser that was never here begins afresh
and is offered the latter. Values that cannot be used stay as they were typed, with the sentence that says why, and
never reach the spec.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from lab import spec as specs
from lab.catalogue.recipes import recipe, run_values
from lab.errors import LabError
from lab.models import facts_of
from lab.runs import chain
from lab.runs.home import is_id, lab_home, new_id
from lab.spec import RunSpec
from lab.ui.language import _
from lab.ui.visitor import visitor

_KEY = "lab-draft"
_MOST = 200  # browsers whose drafts are kept


def _draft() -> dict[str, Any]:
    if _KEY not in st.session_state:
        st.session_state[_KEY] = _restored()
    return st.session_state[_KEY]


def _places() -> list[Path]:
    """Where the draft is kept: this browser's own file, and the last one of all, which is its own without a cookie."""
    last, name = lab_home() / "draft.json", visitor()
    return [lab_home() / "drafts" / f"{name}.json", last] if name else [last]


def _restored() -> dict[str, Any]:
    fresh: dict[str, Any] = {"recipe": "", "values": {}, "wrong": {}, "window": new_id(), "seen": ""}
    return fresh | (_read(_places()[0]) or {})


def offered() -> bool:
    """Whether another browser left settings here that this one, which has none yet, could take over."""
    draft, (own, *last) = _draft(), _places()
    if draft["recipe"] or draft["values"] or draft["wrong"] or not last or own.is_file():
        return False
    stored = _read(last[0])
    return stored is not None and bool(stored["recipe"] or stored["values"])


def take_offered() -> None:
    """Take the settings that another browser saved last for this browser's own."""
    stored = _read(_places()[-1])
    if stored is not None:
        _draft().update(recipe=stored["recipe"], values=stored["values"], wrong={})
        _save()


def _read(place: Path) -> dict[str, Any] | None:
    """A stored draft; None where there is none, or one of another version."""
    try:
        stored = json.loads(place.read_text(encoding="utf-8"))
        specs.with_overrides(RunSpec(), stored["values"])
        recipe_id = str(stored.get("recipe", ""))
        if recipe_id:
            recipe(recipe_id)
        return {"recipe": recipe_id, "values": stored["values"], "seen": str(stored.get("window", ""))}
    except (OSError, ValueError, KeyError, TypeError, LabError):
        return None


def _save() -> None:
    draft, places = _draft(), _places()
    stored = _read(places[0])
    if stored and stored["seen"] not in (draft["window"], draft["seen"]):
        st.toast(_("Another window of yours changed these settings too. Each keeps its own; a reload shows the last."))
    text = json.dumps({name: draft[name] for name in ("recipe", "values", "window")}, ensure_ascii=False)
    try:
        places[0].parent.mkdir(parents=True, exist_ok=True)
        for target in places:
            partial = target.with_suffix(f".{draft['window']}")
            partial.write_text(text, encoding="utf-8")
            partial.replace(target)
        _forget_the_oldest(places[0].parent)
    except OSError:
        st.toast(_("The draft could not be saved: the disk of the lab's home has no room."))
    draft["seen"] = draft["window"]


def _forget_the_oldest(folder: Path) -> None:
    """Keep the drafts of the browsers that were here last."""
    kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime) if folder.name == "drafts" else []
    for path in kept[:-_MOST]:
        path.unlink(missing_ok=True)


def recipe_id() -> str:
    """The recipe that the draft started from, or an empty text."""
    return str(_draft()["recipe"])


def start_over(chosen: str) -> list[str]:
    """Begin again from a recipe with the data set that the person chose; return the settings that lost their value."""
    lost = [path for path in own_paths() if path != "data.source"]
    start_from(chosen, keep=("data.source",))
    return lost


def recipe_values() -> dict[str, Any]:
    """What the chosen recipe sets: dotted name -> value."""
    return run_values(recipe(recipe_id())) if recipe_id() else {}


def start_from(chosen: str, *, keep: tuple[str, ...] = ()) -> None:
    """Begin again from a recipe; of the own values only those named in `keep` stay."""
    draft = _draft()
    draft.update(
        recipe=chosen, values={path: value for path, value in draft["values"].items() if path in keep}, wrong={}
    )
    _save()


def put(path: str, value: Any) -> None:
    """Set one setting; a value that is not allowed is kept aside with its error."""
    draft = _draft()
    try:
        changed = specs.with_overrides(RunSpec(), {path: value})
        if path == "model.source" and value:
            # A folder that is no model is refused before any other page counts with it.
            facts_of(chain.place_of(str(value)))
    except LabError as error:
        draft["wrong"][path] = {"value": value, "error": error}
        return
    draft["wrong"].pop(path, None)
    draft["values"][path] = specs.value_at(changed, path)
    _save()


def reset(path: str) -> None:
    """Go back to the recipe's value, or to the default."""
    draft = _draft()
    draft["values"].pop(path, None)
    draft["wrong"].pop(path, None)
    _save()


def shown(path: str) -> Any:
    """The value to show in the form: what was typed, even when it cannot be used."""
    wrong = _draft()["wrong"].get(path)
    return wrong["value"] if wrong else specs.value_at(spec(), path)


def reference(path: str) -> Any:
    """The value that the recipe, or without one the lab, would use."""
    return recipe_values().get(path, specs.setting_at(path).default)


def is_own(path: str) -> bool:
    """Whether the person chose another value than the recipe's."""
    return path in _draft()["wrong"] or (path in _draft()["values"] and shown(path) != reference(path))


def own_paths() -> list[str]:
    """Every setting that the person changed."""
    draft = _draft()
    return [path for path in (*draft["values"], *draft["wrong"]) if is_own(path)]


def wrong() -> dict[str, LabError]:
    """The settings whose typed values cannot be used, with the reason."""
    return {path: entry["error"] for path, entry in _draft()["wrong"].items()}


def spec() -> RunSpec:
    """The draft as a RunSpec: defaults, then the recipe, then the person's own values."""
    values = recipe_values() | _draft()["values"]
    built = specs.with_overrides(RunSpec(), values)
    return specs.with_overrides(built, {"recipe": recipe_id()})


def size_is_known() -> bool:
    """Whether the chosen data set itself says how many examples it has: the demo set, or a prepared one."""
    source = str(shown("data.source"))
    return source == "demo" or is_id(source)


def run_spec() -> RunSpec:
    """The draft as it will run: a number of examples that was only planned with gives way to the data set's own."""
    return specs.with_overrides(spec(), {"data.examples": None}) if size_is_known() else spec()
