"""Floating-point operations of a run, and the time that they take."""

from __future__ import annotations

from lab.models import ModelFacts
from lab.planning.registry import formula


def flops_per_token(
    facts: ModelFacts, *, method: str, trained: int | None, context: float, label_share: float = 1.0,
    checkpointing: bool = False,
) -> float | None:  # fmt: skip
    """Operations per token of one forward and backward pass; None when the layers are not known.

    `context` is the number of tokens that a query sees on average (half the length when causal),
    `label_share` the share of tokens that enter the loss. Source: counted with torch's FlopCounterMode; 6N
    for a full fine-tune, 4N plus 6 per adapter parameter for LoRA, whose frozen weights need no gradient.
    """
    if not facts.linear_modules or facts.layers is None or facts.heads is None or facts.head_dim is None:
        return None
    linear = sum(layer.weights for layer in facts.linear_modules.values())
    head = (facts.vocabulary or 0) * (facts.hidden or 0) if facts.family != "bert" else 0
    attention = 4 * facts.layers * facts.heads * facts.head_dim * context  # forward; backward twice as much
    passes = 6 if method == "full" else 4
    adapter = 0 if method == "full" else 6 * (trained or 0)
    again = 2 * linear + attention if checkpointing else 0
    return float(passes * linear + passes * label_share * head + adapter + 3 * attention + again)


@formula("FLOPs / (6 x parameters) / samples", unit="tokens per example", source="6N per token, arXiv:2001.08361")
def tokens_per_sample(flops: float, parameters: float, samples: float) -> float:
    """Mean length that a run's stated FLOPs imply."""
    return flops / (6 * parameters) / samples


@formula(
    "6 x parameters x tokens per step / seconds per step / devices / peak FLOP/s",
    unit="share",
    source="6N per token, arXiv:2001.08361",
)
def flop_use(parameters: float, tokens: float, seconds: float, devices: int, peak: float) -> float:
    """Share of the hardware's peak that a step uses."""
    return 6 * parameters * tokens / seconds / devices / peak


@formula("devices x peak of the one / peak of the other", unit="devices", source="datasheets")
def equivalent_devices(devices: int, peak: float, other_peak: float) -> float:
    """How many of another device so many devices equal, by peak FLOP/s alone."""
    return devices * peak / other_peak


@formula(
    "1 / (FLOPs per token / (peak FLOP/s x share used) + seconds per pass / tokens per pass + seconds per token)",
    unit="tokens/s",
    source="benchmarks/README.md, training speed on a CPU: the parts that small models have beside their operations",
)
def tokens_per_second(
    flops: float, peak: float, used_share: float, pass_s: float, pass_tokens: float, token_s: float
) -> float:
    """Speed of one device. 1.88e6 FLOP, 9e11 x 0.27, passes of 4,677 tokens at 0.025 s, 4e-5 s a token: 18,860."""
    return 1 / (flops / (peak * used_share) + pass_s / pass_tokens + token_s)


def seconds_of(tokens: float, tokens_per_second: float) -> float:
    """Duration of a run that goes through so many tokens at this throughput."""
    return tokens / tokens_per_second
