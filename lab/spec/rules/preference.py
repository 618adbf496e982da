"""Which settings go with learning from preferences."""

from __future__ import annotations

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    if spec.task != "preference":
        return []
    return [*_method(spec), *_others(spec)]


def _method(spec: RunSpec) -> list[InputError]:
    found = []
    if spec.preference.method == "orpo":
        found.append(
            InputError(
                N_("ORPO is an experiment of TRL 1.16 that may change or go, so it does not run here."),
                where="preference.method",
                allowed=N_("Allowed today: dpo, kto, reward."),
                next=N_("Choose dpo, which learns from the same pairs."),
            )
        )
    if spec.preference.method == "kto" and spec.schedule.per_device_batch < 2:
        found.append(
            InputError(
                N_("KTO compares the answers of a batch with each other, so a batch of one teaches nothing."),
                where="schedule.per_device_batch",
                allowed=N_("Allowed for kto: 2 and more."),
                next=N_("Choose 4, and lower schedule.accumulation."),
            )
        )
    return found


def _others(spec: RunSpec) -> list[InputError]:
    found = []
    if spec.data.source == "demo":
        found.append(
            InputError(
                N_("The demo data hold questions and answers, no preferences."),
                where="data.source",
                next=N_("Name a file or a prepared data set with chosen and rejected answers."),
            )
        )
    against = {
        "data.packing": (spec.data.packing, N_("each answer is judged on its own")),
        "regularisation.label_smoothing": (
            spec.regularisation.label_smoothing > 0, N_("its labels are tokens and classes, not preferences"),
        ),
        "method.init": (
            spec.method.init.startswith("pissa"), N_("it changes the base weights, which are the reference"),
        ),
    }  # fmt: skip
    for where, (on, why) in against.items():
        if on:
            found.append(
                InputError(
                    N_("{setting} does not go with the task preference: {why}."),
                    where=where,
                    next=N_("Leave it out."),
                    setting=where,
                    why=why,
                )
            )
    return found
