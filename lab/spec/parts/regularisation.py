"""The settings of `regularisation`: what works against overfitting, forgetting and imbalance."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class RegularisationSpec(Part):
    """What works against overfitting, forgetting and imbalance."""

    label_smoothing: float = setting(
        0.0,
        N_("Label smoothing"),
        N_("Share of the target probability that is spread over all tokens or classes."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
        source="Szegedy et al., arXiv:1512.00567",
    )
    neftune_alpha: float = setting(
        0.0,
        N_("NEFTune"),
        N_("Size of the noise added to the embeddings in training; 0 for none, usual are 5 to 15."),
        minimum=0.0,
        maximum=100.0,
        source="NEFTune, arXiv:2310.05914",
    )
    class_weights: Literal["none", "balanced", "given"] = setting(
        "none",
        N_("Class weights"),
        N_(
            "How much a class counts in the loss: all alike, rare ones more (rows / (classes x its rows)), or as given."
        ),
        source="scikit-learn, compute_class_weight; document 002 L720-738",
    )
    class_values: dict[str, float] = setting(
        dict,
        N_("Weight of each class"),
        N_("Weights by class for class_weights=given, such as spam: 5, ham: 1; they are focal loss's alpha too."),
    )
    focal_gamma: float = setting(
        0.0,
        N_("Focal loss"),
        N_("How strongly rows that are already right are passed over; 0 for plain cross entropy, usual is 2."),
        minimum=0.0,
        maximum=10.0,
        source="Lin et al., arXiv:1708.02002",
    )
    sampler: Literal["none", "balanced", "square-root"] = setting(
        "none",
        N_("Sampling of classes"),
        N_(
            "Draw rows of every class equally often (balanced), or in between (square-root), in place of each row once."
        ),
        source="document 002 L742-747; Mikolov et al., arXiv:1310.4546 for the root",
    )
    ewc_lambda: float = setting(
        0.0,
        N_("Weight consolidation"),
        N_("Strength with which weights that matter for the data of ewc_data are held where they were; 0 for none."),
        minimum=0.0,
        maximum=1e12,
        source="Kirkpatrick et al., arXiv:1612.00796",
    )
    ewc_data: str = setting(
        "",
        N_("Data to remember"),
        N_("What the model is to keep: data of the kind of the run's, on which the worth of each weight is measured."),
    )
    ewc_rows: int = setting(
        200,
        N_("Rows to remember"),
        N_("Rows of ewc_data over which the worth of the weights is averaged."),
        unit=N_("rows"),
        minimum=1,
        maximum=100_000,
    )
