"""How much memory there is, and whether the kernel killed something for want of it."""

from __future__ import annotations

from pathlib import Path

NONE_SET = "max"  # what a control group without a limit says


def oom_kills() -> int:
    """How many processes of this control group the kernel has killed for want of memory; 0 where it does not
    tell.
    """
    counts = dict(line.split() for line in _of_group("memory.events").splitlines())
    return int(counts.get("oom_kill", 0))


def available_gib() -> float:
    """Memory in GiB that a new process can have without swapping: of the machine, and of this control group."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    machine = int(fields["MemAvailable"].split()[0]) * 1024
    limit, used = _of_group("memory.max").strip(), _of_group("memory.current").strip()
    own = int(limit) - int(used) if used and limit not in ("", NONE_SET) else machine
    return min(machine, own) / 2**30


def _of_group(name: str) -> str:
    """What the control group of this process says; empty where there is no control group of version 2."""
    try:
        own = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
        return Path(f"/sys/fs/cgroup{own}/{name}").read_text()
    except OSError:
        return ""
