"""The GPU benchmark, one command for each part; every result is appended as it comes.

    python benchmarks/gpu/run.py PART [--shape llama-1b] [--repeats 3] [--results FILE]

PART: recipe001, llamafactory, unsloth, trl, ours, full, memory, or all. `--tiny` takes models that a CPU trains in
seconds and no quantization: it shows that the harness works, its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "gpu.jsonl"
GROUPED = {"train_sampling_strategy": "group_by_length"}
# Document 001: NF4 with double quantization, paged AdamW in 32 bits, examples of like length together, no packing.
DOCUMENT = {"optim": "paged_adamw_32bit", **GROUPED, "gradient_accumulation_steps": 1}
OFF = {"padding_free": "off", "label_loss": False, "fused_lora": False, "activation_swap": False,
       "fused_kernels": False, "async_input": False}  # fmt: skip
STAGES: tuple[tuple[str, dict[str, Any]], ...] = (  # one change at a time, each with those above
    ("varlen", {"padding_free": "on"}),
    ("fused LoRA", {"fused_lora": True}),
    ("kernels", {"activation_swap": True, "fused_kernels": True}),
    ("input", {"async_input": True, "label_loss": True}),
    ("compile", {"compile": True}),
)


def recipe001() -> list[dict[str, Any]]:
    """The document's recipe as written (expected to fail in fp16), with fp32 adapters, and in bf16."""
    plain = {"arm": "trl", "nf4": "float16", "config": {**DOCUMENT, "fp16": True, "bf16": False}}
    jobs = [{**plain, "name": "document 001 verbatim", "batch": 4}]
    for batch in (4, 8, 16):
        jobs.append({**plain, "name": "document 001, fp32 adapters", "adapters": "float32", "batch": batch})
        bf16 = {**DOCUMENT, "bf16": True}
        jobs.append({"arm": "trl", "nf4": "bfloat16", "config": bf16, "name": "document 001 in bf16", "batch": batch})
    for job in jobs:
        job["config"] = {**job["config"], "per_device_train_batch_size": job["batch"]}
    return jobs


def llamafactory() -> list[dict[str, Any]]:
    """LLaMA-Factory's defaults rebuilt: LoRA 8, 2 x 8, bf16, checkpointing, dynamic padding."""
    config = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 8, "bf16": True, "optim": "adamw_torch",
              "gradient_checkpointing": True}  # fmt: skip
    return [{"arm": "trl", "name": "LLaMA-Factory defaults", "batch": 16, "rank": 8, "dtype": "bfloat16",
             "config": config}]  # fmt: skip


def unsloth() -> list[dict[str, Any]]:
    """Unsloth's defaults, and its best: 16 bits, packed, with and without checkpointing."""
    default = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "optim": "adamw_8bit"}
    jobs: list[dict[str, Any]] = [{"arm": "unsloth", "name": "Unsloth defaults", "batch": 8, "config": default,
                                   "load": {"load_in_4bit": True}, "checkpointing": "unsloth"}]  # fmt: skip
    for size in (4, 8, 16):
        for checkpointing in ("unsloth", False):
            config = {"per_device_train_batch_size": size, "packing": True, "optim": "adamw_8bit"}
            name = f"Unsloth packed {size}, checkpointing {checkpointing}"
            jobs.append({"arm": "unsloth", "name": name, "batch": size, "config": config,
                         "load": {"load_in_4bit": False}, "checkpointing": checkpointing})  # fmt: skip
    return jobs


def trl() -> list[dict[str, Any]]:
    """TRL's defaults, and padding-free with its own attention: the best of the box at the same examples."""
    default = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 8}
    best = {"per_device_train_batch_size": 64, "bf16": True, "gradient_checkpointing": False, **GROUPED}
    return [
        {"arm": "trl", "name": "TRL defaults", "batch": 64, "config": default},
        {"arm": "trl", "name": "TRL grouped, bf16", "batch": 64, "dtype": "bfloat16", "config": best},
    ]


def ours() -> list[dict[str, Any]]:
    """The lab, one change at a time, then passes of other sizes."""
    jobs, switches = [{"arm": "ours", "name": "ours, all off", "set": _speed(OFF)}], dict(OFF)
    for name, change in STAGES:
        switches |= change
        jobs.append({"arm": "ours", "name": f"ours + {name}", "set": _speed(switches)})
    for tokens in (4096, 8192, 16_384, 32_768):
        jobs.append({"arm": "ours", "name": f"ours, {tokens} tokens", "set": {"speed.tokens_per_pass": tokens}})
    return [{**job, "batch": 64} for job in jobs]


def full() -> list[dict[str, Any]]:
    """Full fine-tuning: TRL's defaults beside the lab."""
    config = {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 8}
    return [
        {"arm": "trl", "name": "TRL full", "batch": 64, "full": True, "config": config},
        {"arm": "ours", "name": "ours full", "batch": 64, "set": {"method.name": "full"}},
    ]


def memory() -> list[dict[str, Any]]:
    """Sixteen points of planned against measured peak: method, batch, checkpointing."""
    jobs = []
    for method in ("lora", "full"):
        for batch in (2, 4, 8, 16):
            for on in (False, True):
                change = {"method.name": method, "resources.gradient_checkpointing": on,
                          "speed.auto_checkpointing": False, "speed.padding_free": "off"}  # fmt: skip
                name = f"memory {method} {batch}{' checkpointed' if on else ''}"
                jobs.append({"arm": "ours", "name": name, "batch": batch, "set": change, "data": "full"})
    return jobs


PARTS = {"recipe001": recipe001, "llamafactory": llamafactory, "unsloth": unsloth, "trl": trl, "ours": ours,
         "full": full, "memory": memory}  # fmt: skip


def _speed(switches: dict[str, Any]) -> dict[str, Any]:
    return {f"speed.{name}": value for name, value in switches.items()}


def jobs_of(part: str, shape: str, *, tiny: bool, updates: int) -> list[dict[str, Any]]:
    """The jobs of a part for a shape, completed by what all have in common."""
    common: dict[str, Any] = {"part": part, "shape": shape, "rank": 16, "data": "alpaca", "longest": 2048, "rows": 4096,
                              "warm": 10, "updates": 10 + updates}  # fmt: skip
    jobs = [common | job for job in PARTS[part]()]
    if tiny:
        for job in jobs:
            job |= {"rows": 64, "longest": 64, "warm": 2, "updates": 2 + updates, "rank": 4}
            job.pop("nf4", None)
            if job["arm"] == "trl":
                job["config"] = job["config"] | {"optim": "adamw_torch", "fp16": False, "bf16": False}
    return jobs


def main() -> None:
    """Run a part and append each result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=[*PARTS, "all"])
    parser.add_argument("--shape", choices=["llama-1b", "gpt2-large"], default="llama-1b")
    parser.add_argument("--tiny", action="store_true", help="the harness alone, on a CPU")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--updates", type=int, default=25)
    parser.add_argument("--limit-s", type=float, default=600)
    parser.add_argument("--models", default="", help="a folder that keeps the models between arms")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    shape = {"llama-1b": "tiny-llama", "gpt2-large": "tiny-gpt2"}[options.shape] if options.tiny else options.shape
    options.results.parent.mkdir(parents=True, exist_ok=True)
    for part in PARTS if options.part == "all" else [options.part]:
        jobs = jobs_of(part, shape, tiny=options.tiny, updates=options.updates)
        for repeat in range(options.repeats):
            for job in jobs if repeat % 2 == 0 else jobs[::-1]:
                report = _run({**job, "models": options.models}, options.limit_s)
                line = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "repeat": repeat, **report}
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                said = report.get("error") or f"{report['tokens_per_s']:,.0f} tokens/s, {report['peak_gib']} GiB"
                print(f"{report['name']}: {said}", flush=True)


def _run(job: dict[str, Any], limit_s: float) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "arm.py"), json.dumps(job)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)  # noqa: S603  # this folder's
    except subprocess.TimeoutExpired:
        return {**job, "error": f"not done after {limit_s:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"part"')]
    if not lines:
        return {**job, "error": (done.stderr.strip().splitlines() or ["no words"])[-1][:300]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


if __name__ == "__main__":
    main()
