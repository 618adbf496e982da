"""The GPU benchmark, one command for each part; every result is appended as it comes.

    python benchmarks/gpu/run.py PART [--shape llama-1b] [--repeats 3] [--results FILE]
    python benchmarks/gpu/run.py all          every part for both shapes, the gates of equal work first
    python benchmarks/gpu/run.py check        the gates alone
    python benchmarks/gpu/run.py table        the results as Markdown

PART: recipe001, llamafactory, unsloth, trl, ours, full, memory. `--tiny` takes models that a CPU trains in seconds: it
shows that the harness works, its figures mean nothing. What a machine needs stands in README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import table  # noqa: E402
from figures import figures  # noqa: E402
from parts import PARTS, TINY_SHAPES, Job, jobs_of  # noqa: E402
from shapes import lengths  # noqa: E402

RESULTS = HERE.parent / "results" / "gpu.jsonl"
# Nothing is asked of any network while an arm runs, and no bar is drawn.
QUIET = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DISABLE_VERSION_CHECK", "TQDM_DISABLE")
ENVIRONMENT = dict.fromkeys(QUIET, "1")


@dataclass(frozen=True)
class Session:
    """One call of this command: where results go and which Python runs which arm."""

    name: str
    results: Path
    tiny: bool
    limit_s: float
    pythons: dict[str, str]

    def write(self, line: dict[str, Any]) -> None:
        """Append one result."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.results.parent.mkdir(parents=True, exist_ok=True)
        with self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"session": self.name, "at": stamp, "tiny": self.tiny, **line}) + "\n")

    def done(self) -> set[tuple[Any, ...]]:
        """What this session has results of, from a call that was cut off."""
        if not self.results.is_file():
            return set()
        mine = [line for line in table.read(self.results) if line["session"] == self.name and "round" in line]
        keys = ("part", "shape", "name", "group", "round")
        return {tuple(line[key] for key in keys) for line in mine if "error" not in line}

    def run(self, job: Job, program: str = "arm.py") -> dict[str, Any]:
        """One job in a process of its own; what its last line says, or what went wrong."""
        command = [self.pythons.get(job["arm"], sys.executable), str(HERE / program), json.dumps(job)]
        try:
            done = subprocess.run(  # noqa: S603  # this folder's programs
                command, capture_output=True, text=True, timeout=self.limit_s, env=os.environ | ENVIRONMENT
            )
        except subprocess.TimeoutExpired:
            return {"error": f"not done after {self.limit_s:.0f} s"}
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"arm"')]
        if not lines:
            return {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:300]}
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def installed(jobs: list[Job], session: Session) -> list[Job]:
    """The jobs without stand-ins whose original can be run."""
    return [job for job in jobs if "instead_of" not in job or not _has(session, job["instead_of"])]


def _has(session: Session, package: str) -> bool:
    """Whether the Python of a peer's arm has its package."""
    python = session.pythons.get(package, sys.executable)
    asked = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", asked], capture_output=True).returncode == 0  # noqa: S603  # as named


def run_part(session: Session, part: str, shape: str, options: argparse.Namespace, gemm: float | None) -> None:
    """Every job of a part, in rounds; the order turns round in each second one."""
    chosen = jobs_of(part, shape, tiny=session.tiny, updates=options.updates, select=options.select)
    jobs = installed(chosen, session)
    if not jobs:
        return
    wanted = sorted({(job["data"], job["rows"]) for job in jobs})
    first = jobs[0]
    where = {name: first[name] for name in ("shape", "longest")} | {"models": options.models, "data": wanted}
    made = session.run({"arm": "prepare", **where})
    for job in jobs:
        if "error" not in made:
            job |= {"model": made["model"], "rows_file": made["rows_files"][job["data"]]}
    done = session.done()
    for number in range(1 if part == "memory" else options.repeats):  # a peak has no spread
        for job in jobs if number % 2 == 0 else jobs[::-1]:
            if (part, job["shape"], job["name"], job["group"], number) in done:
                continue
            found = made if "error" in made else session.run(job)
            if "error" not in found:
                own = lengths(job["data"], job["rows"], job["longest"])
                found |= figures(job, found, own, gemm)
            session.write({"round": number, **job, **found})
            said = found.get("error") or f"{found['tokens_per_s']:,.0f} tokens/s, {found['peak_gib']} GiB"
            print(f"{part}, {job['shape']}, {job['name']}: {said}", flush=True)


def check(session: Session, shape: str, models: str, gates: list[str]) -> bool:
    """The gates of equal work; tells whether none failed."""
    shape = TINY_SHAPES[shape] if session.tiny else shape
    found = session.run({"arm": "check", "shape": shape, "models": models, "gates": gates}, "check.py")
    session.write({"part": "check", **found, "shape": shape})
    print(table.check_table({**found, "shape": shape}), flush=True)
    return "error" not in found and not any(gate["verdict"].startswith("FAILED") for gate in found["gates"])


def measured(session: Session) -> float | None:
    """Measure what the device can do, and keep it; FLOP/s of the best product."""
    found = session.run({"arm": "ceilings"})
    session.write({"part": "ceilings", "shape": "", **found})
    return found.get("gemm_flops")


def pythons(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Which Python runs which peer's arm."""
    if options.peer_python:
        yield "llamafactory", options.peer_python
    if options.unsloth_python:
        yield "unsloth", options.unsloth_python


def main() -> int:
    """Run what the command line names. Returns 1 when a gate of equal work failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=[*PARTS, "all", "check", "table"])
    parser.add_argument("--shape", choices=list(TINY_SHAPES), help="llama-1b; `all` takes both")
    parser.add_argument("--tiny", action="store_true", help="the harness alone, on a CPU")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--updates", type=int, default=25, help="updates that are timed, after 10 warm ones")
    parser.add_argument("--limit-s", type=float, default=900, help="seconds that one arm may take")
    parser.add_argument("--models", help="a folder that keeps models and rows between calls")
    parser.add_argument("--peer-python", help="the Python of an environment that has LLaMA-Factory")
    parser.add_argument("--unsloth-python", help="the Python of an environment that has Unsloth")
    parser.add_argument("--select", default="", help="only arms with this in their name")
    parser.add_argument("--session", help="a name: the same one goes on where a call was cut off")
    parser.add_argument("--gates", help="for check: some of packing,kernel,stages,compile,nf4,inputs,losses,liger")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.part == "table":
        sys.stdout.write(table.document(table.read(options.results)))
        return 0
    name = options.session or time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    session = Session(name, options.results, options.tiny, options.limit_s, dict(pythons(options)))
    with tempfile.TemporaryDirectory(prefix="lab-gpu-models-") as scratch:
        options.models = options.models or scratch
        shapes = [options.shape] if options.shape else list(TINY_SHAPES) if options.part == "all" else ["llama-1b"]
        gate = partial(check, session, models=options.models, gates=options.gates.split(",") if options.gates else [])
        if options.part in ("all", "check") and False in list(map(gate, shapes)):
            print("Not every gate of equal work holds: no speed is measured.", file=sys.stderr)
            return 1
        if options.part != "check":
            gemm = measured(session)
            for one in shapes:
                for part in PARTS if options.part == "all" else [options.part]:
                    run_part(session, part, one, options, gemm)
    return 0


if __name__ == "__main__":
    sys.exit(main())
