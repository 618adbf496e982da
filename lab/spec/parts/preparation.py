"""The settings of `preparation`: what happens to the rows between the file and the examples."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_

StepName = Literal[
    "repair-text",
    "strip-html",
    "missing",
    "characters",
    "language",
    "personal-data",
    "exact-duplicates",
    "near-duplicates",
]


class PreparationSpec(Part):
    """Which steps clean the rows, in which order, and how the rows are split, balanced, varied and mixed."""

    steps: list[StepName] = setting(
        lambda: ["missing", "exact-duplicates"],
        N_("Cleaning steps"),
        N_("The steps that are applied to the rows, in this order; a step that is not named is off."),
        level="basic",
    )
    min_characters: int = setting(
        0,
        N_("Shortest text"),
        N_("The step characters drops rows whose text, template included, has fewer characters than this."),
        unit=N_("characters"),
        minimum=0,
        maximum=10_000_000,
    )
    max_characters: int | None = setting(
        None,
        N_("Longest text"),
        N_("The step characters keeps rows whose text, template included, has fewer characters than this."),
        unit=N_("characters"),
        minimum=1,
        maximum=10_000_000,
    )
    languages: list[str] = setting(
        list,
        N_("Languages"),
        N_("The step language keeps rows in these languages, such as en, fr, and rows too short to tell."),
    )
    near_threshold: float = setting(
        0.8,
        N_("Similarity of near duplicates"),
        N_("The step near-duplicates drops rows that share this much of their pairs of words with an earlier one."),
        unit=N_("share"),
        minimum=0.5,
        maximum=1.0,
        source="FineWeb, arXiv:2406.17557",
    )
    personal_data: Literal["flag", "mask", "drop"] = setting(
        "flag",
        N_("Personal data"),
        N_("What the step personal-data does with e-mail and IP addresses, telephone, bank and security numbers."),
    )
    split_by: Literal["random", "stratified", "group"] = setting(
        "random",
        N_("Split by"),
        N_("random by rows, stratified to keep the share of each label, group to keep rows of one group together."),
    )
    group_column: str = setting("", N_("Group column"), N_("The column whose equal values stay on one side."))
    test_share: float = setting(
        0.0,
        N_("Test share"),
        N_("Share of the rows that is kept for a last test, besides the validation rows."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.5,
    )
    leakage: Literal["report", "drop"] = setting(
        "report",
        N_("Leakage"),
        N_("What happens to training rows that resemble a held-out row: only reported, or dropped."),
    )
    balance: Literal["none", "weights", "oversample", "undersample"] = setting(
        "none",
        N_("Class balance"),
        N_("Make rare classes count more: by weights in the loss, or by repeating or leaving out training rows."),
    )
    augment: Literal["none", "characters", "words"] = setting(
        "none",
        N_("Augmentation"),
        N_("Add varied copies of training rows: typing errors, or words swapped, dropped, doubled; never in answers."),
    )
    augment_share: float = setting(
        0.1,
        N_("Share of varied copies"),
        N_("Number of varied copies as a share of the training rows."),
        unit=N_("share"),
        minimum=0.0,
        maximum=2.0,
    )
    replay_source: str = setting(
        "",
        N_("General data"),
        N_("A prepared data set or a file that is mixed into training against forgetting; empty for none."),
    )
    replay_share: float = setting(
        0.1,
        N_("Share of general data"),
        N_("Share of the training rows that come from the general data; usual: 5 to 25 %."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
    )
