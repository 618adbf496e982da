"""Time, cost and energy: FLOPs over speed, hours times price, hours times watts."""

from __future__ import annotations

from dataclasses import dataclass

from lab.planning.hardware import Hardware
from lab.planning.plan import Plan
from lab.planning.registry import formula
from lab.text import N_

_KAPLAN = "arXiv:2001.08361"


@formula("6 x parameters x tokens", unit="FLOP", source=_KAPLAN)
def training_flops(parameters: float, tokens: float) -> float:
    """Operations of a full fine-tune, attention left out. 124.1M and 196,608 tokens: 1.464e14."""
    return 6 * parameters * tokens


@formula(
    "(4 x parameters + 6 x adapter parameters) x tokens",
    unit="FLOP",
    source="frozen weights need no gradient; counted with torch's FlopCounterMode",
)
def lora_flops(parameters: float, adapter: float, tokens: float) -> float:
    """Operations of a LoRA fine-tune, attention left out. Llama 3.2 1B, rank 16, 1e9 tokens: 5.01e18."""
    return (4 * parameters + 6 * adapter) * tokens


@formula(
    "FLOPs / (devices x peak FLOP/s x share used)",
    unit="s",
    source="definition of the model FLOPs utilisation (MFU), arXiv:2204.02311",
)
def seconds_of_flops(flops: float, devices: int, peak: float, used_share: float) -> float:
    """Duration of so many operations. 1e18 on one H100 (989e12) at 40 %: 2,528 s."""
    return flops / (devices * peak * used_share)


@formula("FLOPs per token x tokens/s / (devices x peak FLOP/s)", unit="share", source="arXiv:2204.02311")
def flop_utilisation(flops_per_token: float, tokens_per_s: float, devices: int, peak: float) -> float:
    """Share of the hardware's peak (MFU) that a measured throughput is. 7.82e9 x 50,000 / 989e12 = 39.5 %."""
    return flops_per_token * tokens_per_s / (devices * peak)


@formula("hours x devices x price per hour", unit="$", source="arithmetic; the price is a list price or your own")
def rental_cost(hours: float, devices: int, price_per_hour: float) -> float:
    """Price of a run. 43.06 h on 6 GPUs at 0.69 $: 178.27 $."""
    return hours * devices * price_per_hour


@formula("hours x devices x watts / 1000", unit="kWh", source="thermal design power of the datasheet: an upper bound")
def energy_kwh(hours: float, devices: int, watts: float) -> float:
    """Energy of the devices alone at full power. 43.06 h on 6 RTX 4090 (450 W): 116.3 kWh."""
    return hours * devices * watts / 1000


@dataclass(frozen=True)
class Costs:
    """What a run takes: time, money, energy; None for what is not known.

    `used_share` is the share of the peak (MFU) that the time stands for; a share above 1 is impossible, and then
    there is neither cost nor energy. `time_source` says where the time comes from: "steps" (seconds per step given),
    "measured" (throughput of an own run), "share" (a share of the peak).
    """

    time_s: float | None
    time_source: str
    used_share: float | None
    flops: float | None
    gpu_hours: float | None
    cost: float | None
    price_per_hour: float | None
    price_source: str
    energy_kwh: float | None

    @property
    def possible(self) -> bool | None:
        """Whether the time asks for no more than the hardware's peak; None where that cannot be known."""
        return None if self.used_share is None else self.used_share <= 1


def costs(
    made: Plan, device: Hardware | None = None, *, used_share: float | None = None,
    seconds_per_step: float | None = None, price_per_hour: float | None = None,
) -> Costs:  # fmt: skip
    """Time, cost and energy of a plan on a device (the plan's own unless named).

    The time is taken from `seconds_per_step` if given, from the throughput that the plan was made with if that was
    measured, else from `used_share` of the device's peak. `price_per_hour` in US dollars replaces the list price.
    """
    device = device or made.inputs.hardware
    count = made.inputs.spec.resources.devices
    flops = None if made.tokens is None or made.flops_per_token is None else made.tokens * made.flops_per_token
    time_s, source = _time(made, device, flops, used_share, seconds_per_step)
    hours = None if time_s is None else time_s / 3600
    listed = device.price_per_hour if device else None
    price = listed if price_per_hour is None else price_per_hour
    watts = device.tdp_w if device else None
    whole = None if flops is None or not time_s or device is None else flops / (time_s * count * device.peak_flops)
    believed = hours if whole is None or whole <= 1 else None  # of a time that cannot be, no cost
    return Costs(
        time_s=time_s,
        time_source=source,
        used_share=whole,
        flops=flops,
        gpu_hours=None if hours is None else hours * count,
        cost=None if believed is None or price is None else rental_cost(believed, count, price),
        price_per_hour=price,
        price_source=N_("your own price") if price_per_hour is not None else device.price_source if device else "",
        energy_kwh=None if believed is None or watts is None else energy_kwh(believed, count, watts),
    )


def _time(
    made: Plan, device: Hardware | None, flops: float | None, used_share: float | None, seconds_per_step: float | None
) -> tuple[float | None, str]:
    if seconds_per_step is not None:
        return None if made.steps is None else made.steps * seconds_per_step, "steps"
    if used_share is None and made.inputs.tokens_per_s is not None:
        return made.time_s, "measured"
    if device is None or flops is None:
        return None, "share"
    if used_share is None and device == made.inputs.hardware:
        return made.time_s, "share"  # with what a pass costs beside its operations
    share = device.used_share if used_share is None else used_share
    return seconds_of_flops(flops, made.inputs.spec.resources.devices, device.peak_flops, share), "share"
