"""The settings of `preference`: how a model learns which of two answers is the better one."""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts.part import Part
from lab.text import N_


class PreferenceSpec(Part):
    """How a model learns from preferences. A batch counts pairs (dpo, reward) or single answers (kto)."""

    method: Literal["dpo", "kto", "orpo", "reward"] = setting(
        "dpo",
        N_("Preference method"),
        N_(
            "dpo learns from pairs of a better and a worse answer, kto from single answers called good or bad, reward "
            "trains a model that scores answers."
        ),
        level="basic",
        source="TRL 1.16: DPOTrainer, KTOTrainer, RewardTrainer",
    )
    beta: float = setting(
        0.1,
        N_("Beta"),
        N_("How strongly the model is held to the reference, the model before the training; more holds it closer."),
        above=0.0,
        maximum=10.0,
        source="DPO, arXiv:2305.18290; KTO, arXiv:2402.01306",
    )
    loss: Literal["sigmoid", "hinge", "ipo"] = setting(
        "sigmoid",
        N_("Loss of DPO"),
        N_("sigmoid is DPO's own; ipo keeps a set distance and overfits less; hinge stops at a margin."),
        source="DPO, arXiv:2305.18290; IPO, arXiv:2310.12036; SLiC, arXiv:2305.10425",
    )
    desirable_weight: float = setting(
        1.0,
        N_("Weight of good answers"),
        N_("For kto: how much an answer called good counts; raise it where there are fewer good ones than bad."),
        minimum=0.0,
        maximum=100.0,
        source="KTO, arXiv:2402.01306, equation 8",
    )
    undesirable_weight: float = setting(
        1.0,
        N_("Weight of bad answers"),
        N_("For kto: how much an answer called bad counts; raise it where there are fewer bad ones than good."),
        minimum=0.0,
        maximum=100.0,
        source="KTO, arXiv:2402.01306, equation 8",
    )
