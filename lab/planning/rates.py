"""Learning rates: a default and a usual range for the method and the model's size, and the nearest published
runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from lab.models import ModelFacts
from lab.planning.registry import formula
from lab.presets import presets_dir, read_yaml
from lab.spec import RunSpec
from lab.text import N_

BILLION = 1e9


@dataclass(frozen=True)
class RateRange:
    """A default learning rate and the range seen in published runs, with their sources.

    Where the range is the lab's own measurement, `published_low` is the least that published runs of the same method
    use: between the two a rate is usual, if slow.
    """

    default: float
    low: float
    high: float
    source: str
    published_low: float | None = None


# Largest size in parameters -> range. A synthesis of the sources named with each, not a quotation.
_FULL = (
    (0.5 * BILLION, RateRange(5e-5, 2e-5, 1e-3, N_("SmolLM2 135M and 360M: 1e-3; Trainer default: 5e-5"))),
    (3 * BILLION, RateRange(2e-5, 1e-5, 3e-4, "torchtune Llama 3.2 1B: 2e-5; SmolLM2 1.7B: 3e-4")),
    (
        14 * BILLION,
        RateRange(1e-5, 2e-6, 2e-5, "Alpaca, Zephyr, Llama 2: 2e-5; Tulu 3 8B: 5e-6; OLMo 7B: 2e-6"),
    ),
    (math.inf, RateRange(5e-6, 2e-6, 1e-5, N_("Tulu 3 70B and 405B: 2e-6"))),
)
_LORA = (
    (0.05 * BILLION, RateRange(1e-3, 3e-4, 3e-3, N_("measured with the embedded demo; ten times the full rate"), 1e-4)),
    (
        0.5 * BILLION,
        RateRange(2e-4, 1e-4, 2e-3, N_("ten times the full rate of SmolLM2: thinkingmachines.ai/blog/lora")),
    ),
    (14 * BILLION, RateRange(2e-4, 1e-4, 3e-4, N_("QLoRA up to 13B: 2e-4; Alpaca-LoRA, torchtune: 3e-4"))),
    (math.inf, RateRange(1e-4, 5e-5, 2e-4, N_("QLoRA from 33B: 1e-4"))),
)
_ENCODER = RateRange(2e-5, 2e-5, 5e-5, "BERT, arXiv:1810.04805: 2e-5, 3e-5, 5e-5")
_HEAD = RateRange(1e-3, 1e-4, 1e-2, N_("document 002 L105"))
# What is learned from preferences is a small change of a model that can do its task: a rate of a first fine-tuning
# learns the pairs by heart. A reward model learns a new head. With adapters ten times the full rate, as TRL's scripts.
_PREFERENCE = {
    "full": RateRange(
        1e-6, 5e-7, 5e-6, N_("TRL 1.16 DPOConfig and KTOConfig: 1e-6; Zephyr 7B: 5e-7; TRL's guide to KTO: up to 5e-6")
    ),
    "lora": RateRange(
        5e-6, 5e-7, 5e-5,
        N_("TRL 1.16 scripts dpo.py with LoRA, Zephyr 7B QLoRA: 5e-6; kto.py with QLoRA: 5e-7; ten times a full 5e-6"),
    ),
}  # fmt: skip
_REWARD = {
    "full": RateRange(1e-5, 1e-5, 1e-4, N_("TRL's example of a reward model: 1e-5; TRL 1.16 RewardConfig: 1e-4")),
    "lora": RateRange(
        1e-4, 1e-4, 1e-3, N_("TRL's example of a reward model with LoRA: 1e-4; ten times a full rate of up to 1e-4")
    ),
}


def rate_range(method: str, parameters: int | None, *, encoder: bool = False, preference: str = "") -> RateRange | None:
    """The usual learning rates for a method and a size; None for a full fine-tune of unknown size.

    `preference` is the preference method (dpo, kto, orpo, reward) where the task is to learn from preferences.
    """
    if preference:
        return (_REWARD if preference == "reward" else _PREFERENCE)["lora" if _kind(method) == "lora" else "full"]
    if method == "frozen":
        return _HEAD
    if method in ("lora", "qlora"):
        return _row(_LORA, parameters if parameters is not None else 7 * BILLION)
    if encoder:
        return _ENCODER
    return None if parameters is None else _row(_FULL, parameters)


@formula(
    "pre-training rate / fine-tuning rate",
    unit="factor",
    source="document 000 L303; 2 to 75 seen in published runs",
)
def rate_ratio(pretraining: float, fine_tuning: float) -> float:
    """How many times smaller the fine-tuning rate is. 3e-4 / 2e-5 = 15. Shown, not judged: it is no rule."""
    return pretraining / fine_tuning


@formula(
    "3e-4 x sqrt(tokens per step / 4e6)",
    unit="1/step",
    source="hiyouga/LLaMA-Factory:scripts/stat_utils/cal_lr.py",
)
def rate_by_tokens(tokens: float) -> float:
    """LLaMA-Factory's rule for the rate from the tokens that count in one step (models up to 13B)."""
    return 3e-4 * math.sqrt(tokens / 4e6)


@formula("10, or 15 for a run of less than 100 steps", unit="factor", source="thinkingmachines.ai/blog/lora")
def lora_factor(steps: int | None) -> int:
    """How many times higher the best rate is for LoRA than for a full fine-tune, nearly whatever the rank."""
    return 15 if steps is not None and steps < 100 else 10


@formula("full fine-tuning rate x 10, or x 15 below 100 steps", unit="1/step", source="thinkingmachines.ai/blog/lora")
def lora_rate(full_rate: float, steps: int | None = None) -> float:
    """The rate for LoRA that goes with one for a full fine-tune. 2e-5: 2e-4, in a run of 60 steps 3e-4."""
    return full_rate * lora_factor(steps)


@dataclass(frozen=True)
class PublishedRate:
    """One published run: who, how large, which learning rate, and where it says so."""

    id: str
    name: str
    method: str
    parameters: int
    learning_rate: float
    source: str


def nearest_published(method: str, parameters: int | None, *, count: int = 3) -> list[PublishedRate]:
    """Published runs of the same kind of method, nearest in size (as a ratio) first."""
    if not parameters:
        return []
    kind = _kind(method)
    same = [rate for rate in published_rates() if _kind(rate.method) == kind]
    return sorted(same, key=lambda rate: (abs(math.log(rate.parameters / parameters)), rate.id))[:count]


def published_beside(spec: RunSpec, facts: ModelFacts, *, count: int = 3) -> list[PublishedRate]:
    """The published runs to hold a run against; none for preferences, of which only first fine-tunings are kept."""
    return [] if spec.task == "preference" else nearest_published(spec.method.name, facts.parameters, count=count)


@cache
def published_rates() -> tuple[PublishedRate, ...]:
    """Every recipe and every published run with a published learning rate and a size."""
    found = []
    for folder in ("recipes", "published"):
        for path in sorted((presets_dir() / folder).glob("*.yaml")):
            values = read_yaml(path.read_text(encoding="utf-8"))
            published = values.get("published") or {}
            rate = published.get("learning_rate") or published.get("sft_learning_rate") or {}
            size = (values.get("facts") or {}).get("parameters") or {}
            if isinstance(rate.get("value"), float) and isinstance(size.get("value"), int):
                known = (values["id"], values["name"], values["method"], size["value"])
                found.append(PublishedRate(*known, rate["value"], rate["source"]))
    return tuple(found)


def range_of(spec: RunSpec, facts: ModelFacts, method: str = "") -> RateRange | None:
    """The usual learning rates for a run, or for the same run with another method; None when not known."""
    preference = spec.preference.method if spec.task == "preference" else ""
    encoder = facts.family == "bert"
    return rate_range(method or spec.method.name, facts.parameters, encoder=encoder, preference=preference)


def _kind(method: str) -> str:
    return "lora" if method in ("lora", "qlora") else method


def _row(table: tuple[tuple[float, RateRange], ...], parameters: float) -> RateRange:
    return next(row for largest, row in table if parameters <= largest)
