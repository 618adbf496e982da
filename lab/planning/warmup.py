"""Warmup: the rise of the learning rate at the start."""

from __future__ import annotations

import math

from lab.planning.registry import formula


@formula(
    "ceil(steps x warmup) for a share below 1, else warmup",
    unit="steps",
    source="transformers 5.23, TrainingArguments.get_warmup_steps",
)
def warmup_steps(steps: int, warmup: float) -> int:
    """Steps of the warmup as the Trainer counts them."""
    return int(warmup) if warmup >= 1 else math.ceil(steps * warmup)


@formula("warmup steps / steps", unit="share", source="document 000 L337")
def warmup_share(warmup: float, steps: float) -> float:
    """Share of the run that is warmup. 100 / 3,000 = 3.3 %."""
    return warmup / steps


@formula("share x steps", unit="steps", source="document 000 L337, L658")
def warmup_of_share(share: float, steps: float) -> float:
    """Steps of a warmup given as a share, not rounded."""
    return share * steps


@formula(
    "share x steps if the schedule has a warmup, else 0",
    unit="steps",
    source="transformers 5.23, optimization.py",
)
def warmup_in_effect(schedule: str, share: float, steps: float) -> float:
    """Warmup steps that the schedule really does: `constant` ignores the warmup, `constant_with_warmup` has
    one.
    """
    return 0 if schedule == "constant" else share * steps


@formula("2 to 5 % of the steps", unit="steps", source="document 000 L339-344; Alpaca, Vicuna, QLoRA: 3 %")
def warmup_range(steps: int) -> list[int]:
    """The recommended warmup, from and to. 25,000 steps: 500 to 1,250. Seen in published runs: 0 to 10 %."""
    return [round(steps * 0.02), round(steps * 0.05)]


@formula(
    "3 % of the steps, at least 10; 10 % for encoders and below 500 steps",
    unit="steps",
    source="Alpaca, FastChat, SmolLM3: 3 %; BERT, Zephyr, LLaMA-Factory: 10 %",
)
def usual_warmup(steps: int, encoder: bool = False) -> int:
    """The warmup to start with. 25,000 steps: 750; 300 steps: 30."""
    share = 0.1 if encoder or steps < 500 else 0.03
    return min(max(math.ceil(steps * share), 10), steps)
