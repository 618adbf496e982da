"""Why a run used a setting of `speed` or did not: the worker's short notes as words in the visitor's language.

A record keeps its reasons as they were written at the time, in English. Each form that they take has its sentence here;
several in one note are separated by a semicolon or a colon. A note of another form is shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lab.text import N_
from lab.ui.format import gib
from lab.ui.language import _, say

_NUMBER = r"([\d.]+(?:e[-+]?\d+)?)"
# The form of a note, and its sentence; what the form catches fills {one}, {two}, {three}.
FORMS: tuple[tuple[str, str], ...] = (
    (r"needs a GPU", N_("needs a GPU")),
    (r"a GPU is full with one pass", N_("a GPU is full with one pass")),
    (r"needs two threads", N_("needs two threads")),
    (r"not with this method", N_("not with the method or another setting of this run")),
    (r"the model has dropout of its own", N_("the model has dropout of its own")),
    (r"not installed", N_("liger-kernel is not installed")),
    (r"not for this model", N_("there are none for this model")),
    (r"liger-kernel does not fit", N_("liger-kernel does not fit")),
    (r"fused", N_("fused")),
    (r"no gelu_new in this model", N_("this model has another activation")),
    (r"memory not known", N_("the memory that it needs is not known")),
    (r"the base is not in NF4", N_("the base is not in NF4")),
    (r"the adapter was made on NF4 layers", N_("the adapter was made on NF4 layers")),
    (r"not for this task", N_("not for this task")),
    (r"not with this TRL", N_("not with this version of TRL")),
    (r"KTO's loss depends on which answers are drawn together", N_("KTO compares the answers that are drawn together")),
    (r"passes of like lengths, padded to the longest", N_("examples of like lengths go together, with little padding")),
    (rf"{_NUMBER} layers", N_("{one} layers")),
    (rf"{_NUMBER} blocks", N_("{one} blocks")),
    (rf"{_NUMBER} GiB planned, {_NUMBER} GiB free", N_("{one} would be needed, {two} were free")),
    (rf"packed and separate logits differ by {_NUMBER}", N_("in one row and alone, logits differ by {one}")),
    (rf"attends within a window of {_NUMBER} tokens", N_("the model attends within a window of {one} tokens")),
    (r"takes no flat rows \((\w+)\)", N_("the model takes no row of several examples ({one})")),
    (rf"asked in {_NUMBER} s", N_("found out in {one} s")),
    (r"asked once, before the training", N_("asked once, before the training")),
    (r"asked in each step", N_("asked in each step")),
    (r"the run does not see every pair", N_("the run does not see every pair")),
    (r"(\w+) in place of (\w+)", N_("{one} in place of {two}")),
    (
        rf"(\w+) in place of (\w+) in rows of up to {_NUMBER} tokens",
        N_("{one} in place of {two} in rows of up to {three} tokens"),
    ),
    (r"short examples on a CPU", N_("short examples on a CPU")),
    (rf"{_NUMBER} switched off", N_("{one} switched off")),
    (r"switched off", N_("switched off")),
    (r"none was kept", N_("none was ready")),
    (r"it was still importing", N_("it was still starting when the run came")),
    (r"it died", N_("it had died")),
    (r"another environment", N_("it was started for other settings")),
    (r"the code has changed", N_("the lab has changed since")),
    (r"it did not answer", N_("it did not answer")),
    (r"it had waited too long", N_("it had waited too long")),
    (r"memory was short", N_("memory was short")),
)


def in_words(note: Any) -> str:
    """A note in the visitor's language: a stored sentence, or the forms that are known, one after the other."""
    if isinstance(note, Mapping):
        return say(note)
    parts = re.split(r"(; |: )", str(note))
    return "".join(part if at % 2 else _one(part) for at, part in enumerate(parts))


def _one(note: str) -> str:
    for form, sentence in FORMS:
        if match := re.fullmatch(form, note):
            return _(sentence, **_values(form, match.groups()))
    return note


def _values(form: str, caught: tuple[str, ...]) -> dict[str, str]:
    if "GiB" in form:
        caught = tuple(gib(float(size)) for size in caught)
    return dict(zip(("one", "two", "three"), caught, strict=False))
