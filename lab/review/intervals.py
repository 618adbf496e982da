"""How sure a share of a few answers is."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(successes: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share, lower and upper bound from 0 to 1; (0, 1) when nothing was counted.

    Unlike share +- z * standard error it stays inside 0 and 1 and has a width at 0 % and at 100 %.
    Raises ValueError if `successes` is not within 0 and `count`.
    Source: E. B. Wilson, Probable Inference, JASA 22 (1927), p. 209-212.
    """
    if not 0 <= successes <= count:
        raise ValueError(f"{successes} successes of {count}")
    if count == 0:
        return 0.0, 1.0
    share = successes / count
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    centre, scale = share + z * z / (2 * count), 1 + z * z / count
    # The bounds are exactly 0 and 1 at the ends; rounding must not push them past.
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
