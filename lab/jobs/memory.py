"""Whether the kernel killed something for want of memory."""

from __future__ import annotations

from pathlib import Path


def oom_kills() -> int:
    """How many processes of this control group the kernel has killed for want of memory; 0 where it does not
    tell.
    """
    try:
        own = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
        text = Path(f"/sys/fs/cgroup{own}/memory.events").read_text()
    except OSError:
        return 0  # no control group version 2 here
    counts = dict(line.split() for line in text.splitlines())
    return int(counts.get("oom_kill", 0))
