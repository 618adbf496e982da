"""The settings of `regularisation`: what works against overfitting."""

from __future__ import annotations

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class RegularisationSpec(Part):
    """What works against overfitting."""

    label_smoothing: float = setting(
        0.0,
        N_("Label smoothing"),
        N_("Share of the target probability that is spread over all tokens."),
        unit=N_("share"),
        minimum=0.0,
        maximum=0.9,
    )
    neftune_alpha: float = setting(
        0.0, N_("NEFTune"), N_("Size of the noise added to the embeddings; 0 for none."), minimum=0.0, maximum=100.0
    )
