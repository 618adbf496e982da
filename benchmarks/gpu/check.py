"""The gates of equal work on this machine's device: what each faster path computes, beside the plain one.

    python benchmarks/gpu/run.py check

Small twins of the shape (fp32) show that the work is the same; the shape itself, in bf16, trains twenty updates beside
plain TRL. A gate without what it needs (a GPU, liger-kernel) says so.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

if shutil.which("nvidia-smi") is None and importlib.util.find_spec("liger_kernel") is not None:
    os.environ["TRITON_INTERPRET"] = "1"  # liger's kernels on a CPU; Triton reads it when it is imported

import twins  # isort: skip  # noqa: E402  # what torch reads when it is loaded

import torch  # noqa: E402
from meter import on_gpu  # noqa: E402

from lab.training import attention, libraries, probe  # noqa: E402
from lab.training.choices import Choices  # noqa: E402
from lab.training.fused import compile_blocks, fuse_kernels, fuse_lora, has_liger  # noqa: E402
from lab.training.methods import quantised  # noqa: E402

FP32 = 1e-5  # relative, of a gradient
BF16 = 2e-2  # relative, of logits and gradients: some roundings of 2^-8 one after the other
LOSS = 5e-3  # relative, of each of twenty losses


@dataclass(frozen=True)
class Gate:
    """One comparison: `verdict` is same, FAILED, or why it was not made."""

    name: str
    figure: str
    limit: str
    verdict: str


def judged(name: str, difference: float, limit: float) -> Gate:
    """The verdict over a relative difference; what is no number fails."""
    return Gate(name, f"{difference:.1e}", f"{limit:.0e}", "same" if difference <= limit else "FAILED")


def packing(kind: str) -> Iterator[Gate]:
    """Two examples in one row against each alone, in fp32 and, on a GPU, in bf16 through torch's varlen kernel."""
    for dtype in (torch.float32, torch.bfloat16) if on_gpu() else (torch.float32,):
        found = probe.probe(twins.base(kind).to(dtype), 64)
        name = f"packed and separate logits, {str(dtype).removeprefix('torch.')}"
        if found.difference is None:
            yield Gate(name, "", "", f"FAILED: {found.why}")
        else:
            yield judged(name, found.difference, FP32 if dtype == torch.float32 else probe.TOLERANCE[dtype])


def kernel() -> Gate:
    """The varlen kernel against one example after the other, forward and backward, in bf16."""
    name = "varlen kernel and one by one, bf16"
    if not on_gpu():
        return Gate(name, "", "", "needs a GPU")
    bounds = torch.tensor([0, 37, 165, 400], dtype=torch.int32, device="cuda")
    torch.manual_seed(0)
    parts = [torch.randn(1, heads, 400, 64, device="cuda", dtype=torch.bfloat16) for heads in (8, 2, 2)]
    found = []
    for flash in (True, False):
        given = [part.clone().requires_grad_() for part in parts]
        if flash:
            out = attention._flash(*given, bounds, 235, None)[None]
        else:
            out = attention._one_by_one(*given, bounds.diff().tolist(), 0.0, None)
        out.float().square().sum().backward()
        found.append(torch.cat([out.detach().flatten(), *(part.grad.flatten() for part in given)]).float())
    return judged(name, twins.far(found[0], found[1]), BF16)


STAGES: dict[str, dict[str, Any]] = {
    "without padding": {"padding_free": "on"},
    "small passes": {"padding_free": "on", "budget": 48},
    "fused LoRA": {"padding_free": "off", "fused_lora": True},
    "fused GELU": {"padding_free": "off", "activation_swap": True},
    "checkpointing": {"padding_free": "off", "checkpointing": True},
    "all of them": {"padding_free": "on", "fused_lora": True, "activation_swap": True},
}


def stages(kind: str, scratch: str) -> Iterator[Gate]:
    """One update of each optimisation against padded plain TRL: the gradient, and the count of label tokens."""
    reference = twins.one_step(twins.plain_trl(kind, scratch))
    for name, values in STAGES.items():
        found = twins.one_step(twins.lab_trainer(kind, scratch, Choices(label_loss=False, **values)))
        gate = judged(f"one update, {name}", twins.far(found.gradient, reference.gradient), FP32)
        same = found.labels == reference.labels
        yield gate if same else Gate(gate.name, f"{found.labels} label tokens", str(reference.labels), "FAILED")


def beside(kind: str, name: str, change: Callable[[Any], str | None], limit: float = FP32) -> Gate:
    """The gradient of a model after `change` against the same model before; `change` may tell why not."""
    model = twins.adapted(twins.base(kind))
    fuse_lora(model)  # as in a run
    before = twins.flat_gradient(model)
    reason = change(model)
    if reason is not None:
        return Gate(name, "", "", reason)
    return judged(name, twins.far(twins.flat_gradient(model), before), limit)


def liger(model: Any) -> str | None:
    """Put liger's kernels in: Triton's on a GPU, its interpreter's elsewhere."""
    if not has_liger():
        return "liger-kernel is not installed"
    if not on_gpu():
        twins.interpret()
    told = fuse_kernels(model.get_base_model())
    return None if told == "fused" else told


def compiled(model: Any) -> str | None:
    """Compile the blocks."""
    return None if compile_blocks(model) else "no blocks found"


def unpacked(kind: str) -> Gate:
    """NF4 layers against plain ones with the same values."""
    dtype = torch.bfloat16 if on_gpu() else torch.float32
    name = f"NF4 packed and as plain weights, {str(dtype).removeprefix('torch.')}"
    if not libraries.reveal():
        return Gate(name, "", "", "bitsandbytes is not installed")
    found = []
    for plain in (False, True):
        base = twins.base(kind, nf4=True, dtype=dtype)
        if plain:
            quantised.dequantise(base, dtype, base.device)
        found.append(twins.flat_gradient(twins.adapted(base)))
    return judged(name, twins.far(found[1], found[0]), BF16 if on_gpu() else FP32)


def twenty(job: dict[str, Any], scratch: str) -> Gate:
    """Twenty updates of the shape itself in bf16, the lab as it comes beside plain TRL: the largest difference."""
    lab, trl = twins.losses_of(job, scratch)
    if len(lab) != 20 or len(trl) != 20:
        return Gate("twenty losses, bf16", f"{len(lab)} and {len(trl)} losses", "20", "FAILED")
    worst = max(abs(a - b) / b for a, b in zip(lab, trl, strict=True))
    return judged("twenty losses, bf16", worst, LOSS)


def inputs(kind: str, scratch: str) -> Gate:
    """Batches made by another process, pinned and copied beside the training, against those made in between."""
    found = [twins.four_losses(kind, scratch, workers) for workers in (0, 1)]
    worst = max(abs(a - b) / b for a, b in zip(*found, strict=True))
    return judged("inputs from another process", worst, FP32)


def gates(job: dict[str, Any], scratch: str) -> Iterator[Gate]:
    """The gates for a shape, all or those that the job names."""
    kind = "gpt2" if "gpt2" in job["shape"] else "llama"
    groups: dict[str, Callable[[], Iterable[Gate]]] = {
        "packing": lambda: packing(kind),
        "kernel": lambda: [kernel()],
        "stages": lambda: stages(kind, scratch),
        "compile": lambda: [beside(kind, "compiled blocks on and off", compiled, 2 * FP32)],
        "nf4": lambda: [unpacked(kind)],
        "inputs": lambda: [inputs(kind, scratch)],
        "losses": lambda: [twenty(job, scratch)],
        "liger": lambda: [beside(kind, "liger's kernels on and off", liger)],  # last: it changes the model's module
    }
    for name in job.get("gates") or groups:
        torch.set_float32_matmul_precision("highest")  # TF32, which a run takes, would be told as a difference
        try:
            yield from groups[name]()
        except Exception as error:  # the other gates are told all the same
            yield Gate(name, "", "", f"FAILED: {type(error).__name__}: {str(error).strip().splitlines()[0][:200]}")


def main() -> None:
    """Run the gates of the shape on the command line; the last line of the output is JSON."""
    job = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="lab-gpu-") as scratch:
        found = [asdict(gate) for gate in gates(job, scratch)]
    device = torch.cuda.get_device_name(0) if on_gpu() else "cpu"
    print(json.dumps({"arm": "check", "device": device, "gates": found}), flush=True)


if __name__ == "__main__":
    main()
