"""Rewrite the lower half of a requirements file from what is installed: `python tools/lock.py FILE...`.

The upper half, down to the MARK line, is written by hand: the packages that we import, each with its reason.
The lower half is everything that those bring in, pinned at the installed version. With `--check` nothing is
written, and the exit status is 1 when a file is not what this program would write.
"""

import importlib.metadata as metadata
import sys
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MARK = "# --- brought in by the packages above; rewritten by tools/lock.py ---"
# The CUDA parts of a GPU build of torch are pinned by torch, and a CPU build must not bring them along.
LEFT_TO_TORCH = ("nvidia-", "cuda-", "triton")
PLATFORM_WORDS = ("platform_", "sys_platform", "os_name")


def direct_requirements(text: str) -> list[Requirement]:
    """The requirements above MARK, without comments and options."""
    lines = (line.split(" #")[0].strip() for line in text.split(MARK)[0].splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def included_files(path: Path) -> list[Path]:
    """The files that PATH includes with `-r`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [path.parent / line.split(maxsplit=1)[1] for line in lines if line.startswith("-r ")]


def installed_version(name: str) -> str:
    """The installed version without the local part: `2.13.0+cpu` and `2.13.0` are the same pin."""
    return metadata.version(name).split("+")[0]


def needs(requirement: Requirement) -> list[Requirement]:
    """What one installed package asks for on this machine, with the extras that were asked of it."""
    extras = requirement.extras or {""}
    wanted = []
    for line in metadata.requires(requirement.name) or []:
        need = Requirement(line)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
            wanted.append(need)
    return wanted


def closure(direct: list[Requirement]) -> dict[str, dict[str, Marker | None]]:
    """For each package that DIRECT brings in: who asks for it, and under which marker."""
    asked: dict[str, dict[str, Marker | None]] = {}
    waiting, seen = list(direct), set()
    while waiting:
        parent = waiting.pop()
        key = (canonicalize_name(parent.name), frozenset(parent.extras))
        if key in seen:
            continue
        seen.add(key)
        for need in needs(parent):
            if canonicalize_name(need.name).startswith(LEFT_TO_TORCH):
                continue
            asked.setdefault(canonicalize_name(need.name), {})[canonicalize_name(parent.name)] = need.marker
            waiting.append(need)
    return asked


def platform_condition(marker: Marker | None) -> str:
    """The marker as text if it speaks of platforms; a condition on Python's version leaves no pin out."""
    return str(marker) if any(word in str(marker) for word in PLATFORM_WORDS) else ""


def pin(name: str, parents: dict[str, Marker | None]) -> str:
    """One line: the pin, the platform marker if every parent has one, and who asks for it."""
    conditions = {platform_condition(marker) for marker in parents.values()}
    condition = f" ; {conditions.pop()}" if len(conditions) == 1 and "" not in conditions else ""
    return f"{name}=={installed_version(name)}{condition}  # for {', '.join(sorted(parents))}"


def locked(path: Path) -> str:
    """The text that PATH should have."""
    upper = path.read_text(encoding="utf-8").split(MARK)[0]
    direct = direct_requirements(upper)
    elsewhere: set[str] = {canonicalize_name(r.name) for r in direct}
    for other in included_files(path):
        above = direct_requirements(other.read_text(encoding="utf-8"))
        elsewhere |= {canonicalize_name(r.name) for r in above} | set(closure(above))
    lower = [pin(name, parents) for name, parents in sorted(closure(direct).items()) if name not in elsewhere]
    return upper + "\n".join([MARK, *lower]) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the files that are named."""
    status = 0
    for path in (Path(a) for a in arguments if not a.startswith("--")):
        text = locked(path)
        if text == path.read_text(encoding="utf-8"):
            continue
        if "--check" in arguments:
            print(f"{path} does not list exactly what is installed; run: python tools/lock.py {path}")
            status = 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path} rewritten")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
