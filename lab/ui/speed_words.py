"""What a run really used of the settings of `speed`, with the reasons that it recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.spec import Setting, settings
from lab.text import N_
from lab.ui.format import duration, number, share
from lab.ui.language import _
from lab.ui.speed_reasons import in_words

# What the record calls a setting that is not named as in `speed`.
_NAMES = {
    "data.packing": "packed",
    "resources.gradient_checkpointing": "checkpointing",
    "speed.reference_once": "reference",
    "speed.standby": "standby",
}
# With these notes a switch was on and changed nothing.
_NOTHING = re.compile(r"no gelu_new|needs a GPU|not installed|not for this|does not fit|not with this|in each step|^0 ")
# What a run tells besides its settings.
_BESIDES = {"attention": N_("Attention"), "dropout": N_("Dropout")}


@dataclass(frozen=True)
class Used:
    """One setting of `speed` in a run: what it is called and does, whether it was used, and why or why not."""

    label: str
    help: str
    used: bool
    why: str


def used(result: Mapping[str, Any]) -> list[Used]:
    """What a finished run used, in the order of the settings; empty where the run recorded nothing."""
    record = _record(result)
    found = []
    for setting in settings() if record else ():
        name = _name_in_record(setting, record)
        if name:
            is_used = _is_used(name, record, str(result.get("attention") or ""))
            found.append(Used(_(setting.label), _(setting.help), is_used, _why(name, is_used, record, result)))
    return found


def besides(result: Mapping[str, Any]) -> list[str]:
    """What else the run decided for the sake of speed, or against it, each as one sentence."""
    whys = _record(result).get("why") or {}
    return [
        _("{name}: {what}.", name=_(label), what=in_words(whys[name]))
        for name, label in _BESIDES.items()
        if whys.get(name)
    ]


def _record(result: Mapping[str, Any]) -> dict[str, Any]:
    """What was recorded of the speed, with the start of the run and the reference beside it."""
    record = result.get("speed")
    if not isinstance(record, Mapping):
        return {}
    whys, start = dict(record.get("why") or {}), result.get("start") or {}
    told: dict[str, Any] = {**record}
    if start.get("start"):
        told["standby"] = start["start"] == "warm"
        whys["standby"] = start.get("why") or ""
    if "reference" in whys:
        told["reference"] = True
    return told | {"why": whys}


def _name_in_record(setting: Setting, record: Mapping[str, Any]) -> str:
    """Under which name the record tells of a setting; empty where it does not."""
    part, _dot, name = setting.path.rpartition(".")
    name = _NAMES.get(setting.path, name if part == "speed" else "")
    return name if name in record else ""


def _is_used(name: str, record: Mapping[str, Any], attention: str) -> bool:
    why = str((record.get("why") or {}).get(name, ""))
    if name == "padding_free":
        return "varlen" in attention or why.startswith("passes of like lengths")
    return bool(record.get(name)) and not _NOTHING.search(why)


def _why(name: str, is_used: bool, record: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    note = (record.get("why") or {}).get(name)
    parts = [in_words(note)] if note else []
    if name == "padding_free" and is_used and record.get("budget"):
        parts.append(_("{count} tokens a pass", count=number(record["budget"])))
    if name == "packed" and is_used:
        parts += _packing(result.get("packing") or {})
    first = (result.get("start") or {}).get("first_step_s")
    if name == "standby" and first is not None:
        parts.append(_("first step {time} after the start was asked for", time=duration(first)))
    if not parts and not is_used:
        parts.append(_("not asked for"))
    return ", ".join(parts)


def _packing(told: Mapping[str, Any]) -> list[str]:
    """How many packs there were, and how full."""
    packs, filled = told.get("packs"), told.get("filled")
    if not packs or filled is None:
        return []
    return [_("{count} packs, {share} full", count=number(packs), share=share(filled))]
