"""Which settings of the data and its preparation contradict each other."""

from __future__ import annotations

from lab.errors import InputError
from lab.spec.run import RunSpec
from lab.text import N_


def conflicts(spec: RunSpec) -> list[InputError]:
    """The contradictions, each with the way out."""
    return [*_of_split(spec), *_of_steps(spec), *_of_additions(spec)]


def _of_split(spec: RunSpec) -> list[InputError]:
    found = []
    if spec.preparation.split_by == "group" and not spec.preparation.group_column:
        found.append(
            InputError(
                N_("A split by group needs the column whose equal values stay together."),
                where="preparation.group_column",
                next=N_("Name the column, or set preparation.split_by to random."),
            )
        )
    held_out = spec.data.validation_share + spec.preparation.test_share
    if held_out >= 1:
        found.append(
            InputError(
                N_("Validation and test rows together are {share:.0%} of the data; nothing is left to train on."),
                where="preparation.test_share",
                next=N_("Lower data.validation_share or preparation.test_share."),
                share=held_out,
            )
        )
    return found


def _of_steps(spec: RunSpec) -> list[InputError]:
    least, most = spec.preparation.min_characters, spec.preparation.max_characters
    if most is None or least < most:
        return []
    return [
        InputError(
            N_("No text has at least {least} and fewer than {most} characters."),
            where="preparation.max_characters",
            next=N_("Raise preparation.max_characters, or lower preparation.min_characters."),
            least=least,
            most=most,
        )
    ]


def _of_additions(spec: RunSpec) -> list[InputError]:
    preparation = spec.preparation
    wishes = (
        ("augment_share", preparation.augment != "none", preparation.augment_share),
        ("replay_share", bool(preparation.replay_source), preparation.replay_share),
    )
    return [
        InputError(
            N_("Rows are to be added, but their share is 0."),
            where=f"preparation.{name}",
            next=N_("Raise the share, or switch it off: preparation.augment=none, preparation.replay_source empty."),
        )
        for name, wanted, share in wishes
        if wanted and share == 0
    ]
