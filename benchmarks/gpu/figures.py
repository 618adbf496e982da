"""What follows from an arm's measurements: speed, MFU, padding, and the plan beside the peak."""

from __future__ import annotations

from typing import Any

from lab.models import facts_of
from lab.planning import compute, lora
from lab.planning.memory import OVERHEAD_GIB

# Dense bf16 on the datasheet, of an H200 and of an H100 SXM alike; other devices have the measured product only.
DATASHEET = {"H200": 989e12, "H100": 989e12}


def figures(job: dict[str, Any], found: dict[str, Any], lengths: list[int], gemm: float | None) -> dict[str, Any]:
    """Figures of one arm; `lengths` of its rows in tokens, `gemm` the best product that was measured, in FLOP/s.

    MFU counts 4 operations a weight and token for LoRA, 6 for a full fine-tune, on real tokens, and nothing for
    what checkpointing computes again (`lab.planning.compute.flops_per_token`).
    """
    speed = found["tokens"] / found["seconds"]
    flops = speed * (flops_per_token(job, found, lengths) or 0.0)
    peak = next((value for name, value in DATASHEET.items() if name in found["device"]), None)
    mean = sum(lengths) / len(lengths)
    told = {
        "tokens_per_s": round(speed, 1),
        "label_tokens_per_s": round(found["label_tokens"] / found["seconds"], 1),
        "examples_per_s": round(speed / mean, 2),
        "tokens_per_update": round(found["tokens"] / found["updates"]),
        "ms_per_update": round(1000 * found["seconds"] / found["updates"], 2),
        "cpu_ms_per_update": round(1000 * found["cpu_s"] / found["updates"], 2),
        "pad_share": round(1 - found["tokens"] / found["places"], 4),
        "mfu": round(flops / peak, 4) if peak else None,
        "mfu_of_measured": round(flops / gemm, 4) if gemm else None,
    }
    if found.get("planned_gib"):
        # The plan counts the CUDA context, which torch's peak does not hold.
        outside = 0.0 if found["device"] == "cpu" else OVERHEAD_GIB["cuda"]
        told["planned_allocated_gib"] = round(found["planned_gib"] - outside, 3)
        told["plan_error"] = round(told["planned_allocated_gib"] / found["peak_gib"] - 1, 4)
    return told


def flops_per_token(job: dict[str, Any], found: dict[str, Any], lengths: list[int]) -> float | None:
    """Operations of a real token; a query sees half of its example on average."""
    facts = facts_of(job["model"])
    full = bool(job.get("full")) or job.get("set", {}).get("method.name") == "full"
    trained = facts.parameters if full else lora.adapter_parameters(facts, job["rank"], "all-linear")
    seen = sum(length * length for length in lengths) / (2 * sum(lengths))
    return compute.flops_per_token(
        facts, method="full" if full else "lora", trained=trained, context=seen,
        label_share=found["label_tokens"] / found["tokens"], checkpointing=False,
    )  # fmt: skip
