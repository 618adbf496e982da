"""Small calculations about time, loss and shares that checks and plans have in common."""

from __future__ import annotations

import math

from lab.planning.registry import formula


@formula("steps x seconds per step / 3600", unit="hours", source="document 000 L668-671")
def hours_of_steps(steps: float, seconds_per_step: float) -> float:
    """Duration of a run. 25,000 x 6.2 s = 155,000 s = 43.06 h."""
    return steps * seconds_per_step / 3600


@formula("hours x 3600 / steps", unit="s/step", source="document 000 L668, solved")
def seconds_per_step(hours: float, steps: float) -> float:
    """Time of one optimizer step that a stated duration implies."""
    return hours * 3600 / steps


@formula("hours x GPUs", unit="GPU-hours", source="arithmetic")
def gpu_hours(hours: float, devices: float) -> float:
    """GPU-hours of a run."""
    return hours * devices


@formula("exp(loss)", unit="perplexity", source="definition; loss in nats per token")
def perplexity(loss: float) -> float:
    """Perplexity of a mean loss in nats per token."""
    return math.exp(loss)


@formula("ln(vocabulary)", unit="nats", source="entropy of a uniform guess")
def uniform_loss(vocabulary: float) -> float:
    """Loss of a model that finds every token equally likely."""
    return math.log(vocabulary)


@formula("(after - before) / before", unit="share", source="document 000 L685")
def relative_change(before: float, after: float) -> float:
    """Change relative to the start. (5.0 - 8.1) / 8.1 = -38 %."""
    return (after - before) / before


@formula("part / whole", unit="share", source="arithmetic")
def share(part: float, whole: float) -> float:
    """A part as a share of the whole."""
    return part / whole


@formula("first / second", unit="factor", source="arithmetic")
def ratio(first: float, second: float) -> float:
    """How many times the second the first is."""
    return first / second


@formula("sum of the parts", source="arithmetic")
def total(parts: list[float]) -> float:
    """The sum of the parts."""
    return sum(parts)


@formula("first x second", source="arithmetic")
def product(first: float, second: float) -> float:
    """The product of two numbers."""
    return first * second


@formula("seconds as h:mm:ss", unit="h:mm:ss", source="arithmetic")
def clock(seconds: float) -> str:
    """A duration as hours, minutes and seconds; 7,372.98 s is 2:02:53."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


@formula("(1 - test) x (1 - validation), (1 - test) x validation, test", unit="shares", source="arithmetic")
def split_shares(test: float, validation: float) -> list[float]:
    """Shares of training, validation and test when the validation rows are taken from what the test left."""
    return [(1 - test) * (1 - validation), (1 - test) * validation, test]


@formula(
    "min(max(1, ceil(rows x share)), rows - 1); 0 of one row or without a share",
    unit="rows",
    source="scikit-learn train_test_split, which rounds up",
)
def held_out_rows(rows: int, share: float) -> int:
    """Rows that a split holds out: one of two at least, and one stays for training. 24,899 rows, 0.2: 4,980."""
    return min(max(1, math.ceil(rows * share)), rows - 1) if rows > 1 and share > 0 else 0


@formula("(rows / divisor) / (rows + rows / divisor)", unit="share", source="document 002 L646-652")
def share_of_added_rows(divisor: float) -> float:
    """Share of the mixture that n / divisor added rows make up."""
    return (1 / divisor) / (1 + 1 / divisor)


@formula("(largest / smallest)^(1 / steps)", unit="factor", source="document 002 L1167")
def growth_per_step(smallest: float, largest: float, steps: int) -> float:
    """Factor per step of a learning-rate sweep. 1e-7 to 10 in 100 steps: 1.2023."""
    return float((largest / smallest) ** (1 / steps))


@formula("sum over heads of (inputs x outputs + outputs)", unit="parameters", source="definition of a linear layer")
def head_parameters(inputs: int, outputs: list[int]) -> int:
    """Parameters of linear heads with biases on a model of this width."""
    return sum(inputs * width + width for width in outputs)


@formula("first - second", source="arithmetic")
def difference(first: float, second: float) -> float:
    """The difference of two numbers."""
    return first - second
