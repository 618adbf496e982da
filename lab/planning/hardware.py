"""What a device can do: presets/hardware/*.yaml. The throughput of a run that nobody measured is an
assumption.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from lab.presets import presets_dir, read_yaml


@dataclass(frozen=True)
class Hardware:
    """One kind of device: peak FLOP/s of its matrix units, memory in GB (1e9), and the share that a run is
    assumed to use.
    """

    id: str
    name: str
    kind: str
    peak_flops: float
    memory_gb: float | None
    source: str
    used_share: float
    used_share_source: str


@cache
def hardware() -> dict[str, Hardware]:
    """Every hardware preset by its id."""
    folder = presets_dir() / "hardware"
    found = [Hardware(**read_yaml(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.yaml"))]
    return {device.id: device for device in found}


def find_hardware(name: str) -> Hardware | None:
    """The preset with this id, or whose id stands in a device name such as "NVIDIA H100 80GB HBM3"; else
    None.
    """
    wanted = re.sub(r"[^a-z0-9]", "", name.lower())
    if wanted in hardware():
        return hardware()[wanted]
    return next((device for key, device in hardware().items() if key in wanted and key != "cpu"), None)
