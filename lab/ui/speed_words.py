"""What a run really used of the settings of `speed`: the worker's record in words, with its reasons.

The record keeps its reasons as they were written at the time, in English; each form that they take has its sentence
here, so that they can be read in the visitor's language. A reason of another form is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.spec import Setting, settings
from lab.text import N_
from lab.ui.format import gib, number
from lab.ui.language import _, say

_ELSEWHERE = {"packed": "data.packing", "checkpointing": "resources.gradient_checkpointing", "budget": ""}
_NUMBER = r"([\d.]+(?:e[-+]?\d+)?)"
# The form of a reason, the sentence, and what of the form fills its places.
_REASONS: tuple[tuple[str, str], ...] = (
    (r"needs a GPU", N_("needs a GPU")),
    (r"not installed", N_("liger-kernel is not installed")),
    (r"not for this model", N_("there are none for this model")),
    (r"fused", N_("fused")),
    (r"no gelu_new in this model", N_("this model has another activation")),
    (r"memory not known", N_("the memory that it needs is not known")),
    (r"the adapter was made on NF4 layers", N_("the adapter was made on NF4 layers")),
    (rf"{_NUMBER} layers", N_("in {count} layers")),
    (rf"{_NUMBER} blocks", N_("{count} blocks")),
    (rf"{_NUMBER} GiB planned, {_NUMBER} GiB free", N_("{needed} would be needed, {free} were free")),
    (rf"packed and separate logits differ by {_NUMBER}", N_("logits in one row and alone differ by {count}")),
    (rf"attends within a window of {_NUMBER} tokens", N_("the model attends within a window of {count} tokens")),
    (r"takes no flat rows \((\w+)\)", N_("the model takes no row of several examples ({count})")),
)  # fmt: skip
# With these reasons a switch was on and changed nothing.
_NOTHING = re.compile(r"no gelu_new|needs a GPU|not installed|not for this model|^0 ")


@dataclass(frozen=True)
class Used:
    """One setting of `speed` in a run: what it is called and does, whether it was used, and why or why not."""

    label: str
    help: str
    used: bool
    why: str


def used(result: Mapping[str, Any]) -> list[Used]:
    """What a finished run used, in the order of the settings; empty where the run recorded nothing."""
    record = result.get("speed")
    if not isinstance(record, Mapping):
        return []
    whys = record.get("why") or {}
    found = []
    for setting in settings():
        name = _name_in_record(setting, record)
        if name:
            used = _is_used(name, record, str(result.get("attention", "")))
            found.append(Used(_(setting.label), _(setting.help), used, _why(name, used, record, whys.get(name))))
    return found


def _name_in_record(setting: Setting, record: Mapping[str, Any]) -> str:
    """Under which name the record tells of a setting; empty where it does not."""
    part, _dot, name = setting.path.rpartition(".")
    if part == "speed" and name in record:
        return name
    return next((key for key, path in _ELSEWHERE.items() if path == setting.path and key in record), "")


def _is_used(name: str, record: Mapping[str, Any], attention: str) -> bool:
    if name == "padding_free":
        return "varlen" in attention
    value, why = record.get(name), (record.get("why") or {}).get(name)
    return bool(value) and not (isinstance(why, str) and _NOTHING.search(why))


def _why(name: str, is_used: bool, record: Mapping[str, Any], why: Any) -> str:
    parts = [reason(why)] if why else []
    if name == "padding_free" and is_used and record.get("budget"):
        parts.append(_("{count} tokens a pass", count=number(record["budget"])))
    if not parts and not is_used:
        parts.append(_("not asked for"))
    return ", ".join(parts)


def reason(why: Any) -> str:
    """A recorded reason in the visitor's language: a stored sentence, or one of the known forms."""
    if isinstance(why, Mapping):
        return say(why)
    for form, sentence in _REASONS:
        if match := re.fullmatch(form, str(why)):
            return _(sentence, **_values(match.groups()))
    return str(why)


def _values(groups: tuple[str, ...]) -> dict[str, str]:
    if len(groups) == 2:
        return {"needed": gib(float(groups[0])), "free": gib(float(groups[1]))}
    return {"count": groups[0]} if groups else {}
