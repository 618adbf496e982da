"""What a learning-rate range test reads from its losses: smoothing, divergence, and two picks with their spread.

L. N. Smith, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

SMOOTHING = 0.8  # weight of the past; more would move what is seen to higher rates
DOUBLED = 2.0  # a smoothed loss above so many times its best,
RISEN = 1.25  # and above so many times its first, has diverged
WARM = 0.1  # share of the points at the start, where the mean is of too few losses to have a slope
SHARE = 0.1  # of the rate at which the loss diverges


def ramp(lowest: float, highest: float, steps: int) -> list[float]:
    """Rates that grow by the same factor, from `lowest` to `highest`, both included."""
    return [float(rate) for rate in np.geomspace(lowest, highest, steps)]


def smoothed(losses: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Exponential moving mean with bias correction: the first value is the first loss, not a tenth of it.

    Kingma and Ba, Adam, arXiv:1412.6980, section 3.
    """
    found, mean = [], 0.0
    for count, loss in enumerate(losses, 1):
        mean = weight * mean + (1 - weight) * loss
        found.append(mean / (1 - weight**count))
    return found


def has_diverged(means: Sequence[float]) -> bool:
    """Whether the last of these smoothed losses is no number, or far above both the best and the first."""
    last = means[-1]
    return not math.isfinite(last) or (last > DOUBLED * min(means) and last > RISEN * means[0])


@dataclass
class Curve:
    """One sweep: `losses` holds, for each of `rates`, the loss of the batch after the step with that rate."""

    seed: int
    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def means(self) -> list[float]:
        """The smoothed losses."""
        return smoothed(self.losses)

    @property
    def diverged_at(self) -> float | None:
        """The rate at which the loss diverged; None when it never did."""
        return self.rates[-1] if self.losses and has_diverged(self.means) else None

    @property
    def steepest(self) -> float | None:
        """The rate at which the smoothed loss falls fastest over the logarithm of the rate; None without a fall."""
        means = self.means[:-1] if self.diverged_at else self.means
        first = max(1, round(WARM * len(means)))
        if len(means) < first + 3:
            return None
        slopes = np.gradient(np.asarray(means), np.log10(self.rates[: len(means)]))
        end = max(first + 1, int(np.argmin(means)) + 1)
        at = first + int(np.argmin(slopes[first:end]))
        return self.rates[at] if slopes[at] < 0 else None

    @property
    def tenth(self) -> float | None:
        """A tenth of the rate at which the loss diverged."""
        return SHARE * self.diverged_at if self.diverged_at else None

    def as_dict(self) -> dict[str, Any]:
        """The sweep as result.json holds it."""
        return {
            "seed": self.seed,
            "rates": self.rates,
            "losses": self.losses,
            "smoothed": self.means,
            "diverged_at": self.diverged_at,
            "steepest": self.steepest,
            "tenth": self.tenth,
        }


def picked(found: Sequence[float | None]) -> dict[str, Any] | None:
    """The median of a pick over the seeds with its lowest and highest; None when no seed has it."""
    known = [rate for rate in found if rate is not None]
    if not known:
        return None
    middle = 10 ** median(math.log10(rate) for rate in known)
    return {"rate": middle, "low": min(known), "high": max(known), "seeds": len(known), "of": len(found)}


def verdict(curves: Sequence[Curve], limit: float) -> dict[str, Any]:
    """Both picks, and the rate to take: the lower one, two digits, at most `limit`; None when neither was found."""
    picks = {
        "steepest": picked([curve.steepest for curve in curves]),
        "tenth": picked([curve.tenth for curve in curves]),
    }
    known = [pick["rate"] for pick in picks.values() if pick]
    return {"picks": picks, "suggested": float(f"{min(*known, limit):.1e}") if known else None}
