"""One arm of the GPU benchmark in a process of its own; the last line of its output is JSON.

    python benchmarks/gpu/arm.py '{"arm": "ours", "shape": "llama-1b", ...}'

Arms: `ours` (spec overrides in `set`), `trl` (fields of SFTConfig in `config`: document 001's recipe and TRL's best are
such), `llamafactory`, `unsloth`; `prepare` writes model and rows, `ceilings` measures the device. All of them take the
same rows. An arm that cannot run is a result too.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

import meter  # isort: skip  # noqa: E402  # first: its clock begins now


def prepare(job: dict[str, Any]) -> dict[str, Any]:
    """Write the model and the rows of a job, once; returns where they are."""
    from shapes import SHAPES, build, write_rows

    folder = Path(job["models"])
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = SHAPES[job["shape"]]["vocab_size"]
    rows = {kind: str(write_rows(folder, kind, count, vocabulary, job["longest"])) for kind, count in job["data"]}
    return {"model": str(build(job["shape"], folder)), "rows_files": rows}


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Run a training arm."""
    needs = {"llamafactory": "llamafactory", "unsloth": "unsloth"}.get(job["arm"])
    if needs and importlib.util.find_spec(needs) is None:
        return {"error": f"{needs} is not installed"}
    rows = json.loads(Path(job["rows_file"]).read_text(encoding="utf-8"))
    if job["arm"] == "ours":
        sys.path.insert(1, str(Path(__file__).parents[2]))
        import lab_arm

        work: Any = lab_arm.ours
    else:
        import peers

        work = getattr(peers, job["arm"])
    gauge = meter.Meter(job["warm"])
    if job["arm"] != "unsloth":  # which puts a training step of its own in place when it is imported
        gauge.attach()
    with tempfile.TemporaryDirectory(prefix="lab-gpu-") as scratch:
        told = work(job, rows, gauge, scratch) or {}
    return told | gauge.report() | {"versions": versions()}


def versions() -> dict[str, str]:
    """The versions that an arm ran with."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "transformers", "trl", "peft", "bitsandbytes", "llamafactory", "unsloth", "liger-kernel"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Run the arm of the command line."""
    job = json.loads(sys.argv[1])
    work = {"prepare": prepare, "ceilings": lambda job: meter.ceilings()}.get(job["arm"], train)
    try:
        report = work(job)
    except Exception as error:  # told beside the others' figures
        first = (str(error).strip().splitlines() or [""])[0][:300]
        report = {"error": f"{type(error).__name__}: {first}"}
    print(json.dumps({"arm": job["arm"], **report}), flush=True)


if __name__ == "__main__":
    main()
