"""What a learning-rate range test is asked for, by the page and by the command line alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lab.errors import InputError, InputErrors
from lab.runs import client
from lab.spec import RunSpec, with_overrides
from lab.text import N_

KIND = "find-lr"
MOST_STEPS, MOST_SEEDS, LARGEST = 10_000, 10, 100.0


@dataclass(frozen=True)
class Sweep:
    """Rates from `lowest` to `highest`, one for each of `steps` updates, once for each of `seeds`."""

    lowest: float = 1e-6
    highest: float = 1.0
    steps: int = 100
    seeds: int = 3

    def check(self) -> None:
        """Raise InputErrors with everything that would show nothing."""
        found = []
        if not 0 < self.lowest < self.highest <= LARGEST:
            found.append(
                InputError(
                    N_("A sweep from {lowest:g} to {highest:g} is no range of learning rates."),
                    where="find-lr",
                    allowed=N_("Allowed: above 0, the first below the last, the last at most {largest:g}."),
                    next=N_("Usual are 1e-6 and 1."),
                    lowest=self.lowest,
                    highest=self.highest,
                    largest=LARGEST,
                )
            )
        for name, value, least, most in (("steps", self.steps, 10, MOST_STEPS), ("seeds", self.seeds, 1, MOST_SEEDS)):
            if not least <= value <= most:
                found.append(
                    InputError(
                        N_("A learning-rate test cannot take {value} {name}."),
                        where="find-lr",
                        allowed=N_("Allowed: {least} to {most}."),
                        next=N_("Usual are 100 steps and 3 seeds."),
                        value=value,
                        name=name,
                        least=least,
                        most=most,
                    )
                )
        if found:
            raise found[0] if len(found) == 1 else InputErrors(found)


def submit(spec: RunSpec, sweep: Sweep, *, key: str | None = None) -> str:
    """Queue the test for a spec and return its id; the spec's own rate, its length and its name play no part."""
    sweep.check()
    parameters: dict[str, Any] = asdict(sweep)
    return client.submit_request(KIND, parameters, spec=with_overrides(spec, {"name": ""}), key=key)


def summary(result: dict[str, Any] | None) -> dict[str, Any]:
    """The figures of a finished test that programs read: the rate to take, both picks, and the sweeps."""
    result = result or {}
    return {name: result.get(name) for name in ("suggested", "picks", "curves", "learning_rate", "seconds")}
