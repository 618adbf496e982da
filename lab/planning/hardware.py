"""What a device can do, takes and costs: presets/hardware/*.yaml. The throughput of a run that nobody measured is
an assumption.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from lab.presets import presets_dir, read_yaml
from lab.text import N_

# The share of the peak that a run is assumed to reach where nothing was measured.
USED_SHARE = 0.3
USED_SHARE_SOURCE = N_("assumed; eager LoRA without packing reached 24 to 46 % of the limit in a roofline estimate")
# The same of a CPU.
CPU_SHARE_SOURCE = N_("assumed; a run measured on this machine replaces it")
# Cards whose driver name goes on after a preset's are other cards: RTX 3080 Ti, RTX 4090 Laptop GPU.
_OTHER_CARD = ("ti", "super", "laptop", "max", "d")


@dataclass(frozen=True)
class Hardware:
    """One kind of device; where each figure was read stands beside it: `source` (of the speed), `memory_source`,
    `bandwidth_source`, `tdp_source`, `fp8_source`, `price_source`.

    `peak_flops` and `fp8_flops` are FLOP/s of its matrix units without sparsity (bf16, or fp16 where `bf16` is
    false); memory in GB of 1e9 bytes; bandwidth in GB/s; `tdp_w` in watts. `price_per_hour` is a published price in
    US dollars for one device, which a person may replace by their own; None where none is kept. `used_share` is the
    share of the peak that a run is assumed to reach; a pass costs `pass_s` seconds and each of its tokens `token_s`
    beside the operations (`pass_source`), which is what a small model's time goes into. `driver_names` are parts of the
    name that the driver gives.
    """

    id: str
    name: str
    kind: str
    peak_flops: float
    memory_gb: float | None
    source: str
    bandwidth_gb_s: float | None = None
    fp8_flops: float | None = None
    bf16: bool = True
    tdp_w: float | None = None
    price_per_hour: float | None = None
    price_source: str = ""
    driver_names: tuple[str, ...] = ()
    used_share: float = USED_SHARE
    used_share_source: str = USED_SHARE_SOURCE
    memory_source: str = ""
    bandwidth_source: str = ""
    tdp_source: str = ""
    fp8_source: str = ""
    pass_s: float = 0.0
    token_s: float = 0.0
    pass_source: str = ""

    @property
    def memory_gib(self) -> float | None:
        """Memory in GiB. The datasheet's figure is read as GB of 1e9 bytes, which is what cards with error
        correction leave; others have up to 7 % more.
        """
        return None if self.memory_gb is None else self.memory_gb * 1e9 / 2**30


@cache
def hardware() -> dict[str, Hardware]:
    """Every hardware preset by its id."""
    folder = presets_dir() / "hardware"
    found = [_read(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    return {device.id: device for device in found}


def _read(text: str) -> Hardware:
    values = read_yaml(text)
    assumed = {"used_share_source": CPU_SHARE_SOURCE} if values["kind"] == "cpu" else {}
    return Hardware(**assumed | values | {"driver_names": tuple(values.get("driver_names", ()))})


def find_hardware(name: str) -> Hardware | None:
    """The preset with this id, or the one whose name stands in a driver's, such as "NVIDIA H100 80GB HBM3".

    None for a card that is not known, and for a relative of one that is ("RTX 3080 Ti").
    """
    words = re.findall(r"[a-z0-9]+", name.lower())
    best: tuple[int, Hardware | None] = (0, None)
    for device in hardware().values():
        for known in (device.id.replace("-", ""), *device.driver_names):
            if known == "".join(words):
                return device
            if device.kind != "cpu" and len(known) > best[0] and _stands_in(known, words):
                best = (len(known), device)
    return best[1]


def _stands_in(known: str, words: list[str]) -> bool:
    """Whether some of the words, one after the other, are this name, and the next does not make it another card."""
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            if "".join(words[start:end]) == known:
                return not (end < len(words) and words[end] in _OTHER_CARD)
    return False
