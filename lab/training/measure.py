"""How fast a run goes and how long it still takes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WINDOW = 50  # optimizer steps that the speed is taken over
SKIPPED = 2  # first steps of an attempt, which warm caches up


class Pace:
    """The speed of this attempt's optimizer steps over a moving window; loading and preparing never count.

    Evaluations and checkpoints between steps are timed apart, so that they slow neither tokens/s nor the next
    step, and each that is still to come adds its own usual time to the estimate.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: deque[tuple[float, int, int]] = deque(maxlen=WINDOW)  # seconds, tokens, examples
        self._aside: list[float] = []
        self._pause = 0.0
        self._last = clock()
        self._seen = 0
        self._totals = [0.0, 0, 0]
        self.first: float | None = None  # unix seconds at the end of the first step

    def begin(self) -> None:
        """The first step starts now."""
        self._last, self._pause = self._clock(), 0.0

    def step(self, tokens: int, examples: int) -> None:
        """An optimizer step over this many real tokens and examples is done."""
        self.first = self.first or time.time()
        now = self._clock()
        seconds = now - self._last - self._pause
        self._last, self._pause = now, 0.0
        self._seen += 1
        if self._seen == SKIPPED + 1:
            self._steps.clear()  # what the first steps said served until now
            self._totals = [0.0, 0, 0]
        self._steps.append((max(seconds, 1e-9), tokens, examples))
        self._totals = [total + part for total, part in zip(self._totals, self._steps[-1], strict=True)]

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Time an evaluation between two steps."""
        started = self._clock()
        try:
            yield
        finally:
            spent = self._clock() - started
            self._pause += spent
            self._aside.append(spent)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time something rare between two steps, such as a checkpoint, that no estimate counts on."""
        started = self._clock()
        try:
            yield
        finally:
            self._pause += self._clock() - started

    @property
    def step_s(self) -> float | None:
        """Mean seconds of an optimizer step; None before the first."""
        return sum(step[0] for step in self._steps) / len(self._steps) if self._steps else None

    @property
    def tokens_per_s(self) -> float | None:
        """Real tokens (no padding) trained on per second."""
        seconds = sum(step[0] for step in self._steps)
        return sum(step[1] for step in self._steps) / seconds if seconds else None

    def throughput(self) -> dict[str, float | None]:
        """Tokens and examples per second and seconds per step, over this attempt without its first steps."""
        seconds, tokens, examples = self._totals
        counted = self._seen - SKIPPED if self._seen > SKIPPED else self._seen
        if not seconds:
            return {"tokens_per_s": None, "samples_per_s": None, "step_s": None}
        return {
            "tokens_per_s": tokens / seconds,
            "samples_per_s": examples / seconds,
            "step_s": seconds / counted,
        }

    @property
    def aside_s(self) -> float:
        """Mean seconds of an evaluation in this attempt; 0 before the first."""
        return sum(self._aside) / len(self._aside) if self._aside else 0.0

    def remaining_s(self, steps: int, evaluations: int) -> float | None:
        """Seconds that so many more steps and evaluations will take; None before the first step."""
        return None if self.step_s is None else steps * self.step_s + evaluations * self.aside_s


class Stopwatch:
    """Seconds spent in each phase of a worker, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started

    def now(self) -> float:
        """Seconds since the stopwatch was made."""
        return time.monotonic() - self._started

    def as_dict(self) -> dict[str, float]:
        """Seconds of each phase and in `total`, since the stopwatch was made."""
        return {name: round(seconds, 3) for name, seconds in (self.seconds | {"total": self.now()}).items()}
