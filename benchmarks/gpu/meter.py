"""What every arm measures alike: time, tokens and memory of the updates after the warm ones, and the GPU's ceilings.

Nothing of the lab is imported here: a peer's arm runs in the peer's environment.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import time
from typing import Any, NamedTuple

BEGAN = time.monotonic()  # the arm imports this first: start-up counts the imports of the libraries


def on_gpu() -> bool:
    """Whether torch sees a GPU."""
    import torch

    return bool(torch.cuda.is_available())


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Mark(NamedTuple):
    """The state of the counts at the end of an update."""

    wall: float
    cpu: float
    places: int
    unpadded: int
    sums: Any


class Meter:
    """Counts the batches that go into `Trainer.training_step` and takes the time between two updates.

    Sums of tensors stay on the device, so that counting waits for nothing.
    """

    def __init__(self, warm: int) -> None:
        self.warm, self.startup_s, self.updates = warm, 0.0, 0
        self.places = self.unpadded = 0  # all places of the batches; those of batches without padding
        self.sums: Any = None  # real tokens of padded batches, label tokens
        self.start: Mark | None = None
        self.end: Mark | None = None
        self.losses: list[float] = []
        self.busy: subprocess.Popen[str] | None = None

    def count(self, inputs: dict[str, Any]) -> None:
        """Take a batch into the sums."""
        import torch

        ids, mask = inputs["input_ids"], inputs.get("attention_mask")
        padded = mask is not None and mask.dim() == 2
        labels = (inputs["labels"] != -100).sum()
        found = torch.stack([mask.sum() if padded else torch.zeros_like(labels), labels])
        self.sums = found if self.sums is None else self.sums + found
        self.places += ids.numel()
        self.unpadded += 0 if padded else ids.numel()

    def attach(self) -> None:
        """Count in every Trainer of this process."""
        from transformers import Trainer

        original = Trainer.training_step

        def training_step(trainer: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            self.count(inputs)
            return original(trainer, model, inputs, *args, **kwargs)

        Trainer.training_step = training_step  # type: ignore[method-assign]

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()  # what loading took is not the training's

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        first = state.global_step == 1
        if first or state.global_step == self.warm or state.global_step >= args.max_steps:
            synchronise()
        if first:
            self.startup_s = time.monotonic() - BEGAN
        now = Mark(time.monotonic(), time.process_time(), self.places, self.unpadded, self.sums)
        if state.global_step == self.warm:
            self.start, self.busy = now, watch_gpu()
        self.end, self.updates = now, state.global_step - self.warm

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))

    def callback(self) -> Any:
        """The meter as a callback of transformers."""
        from transformers import TrainerCallback

        names = ("on_train_begin", "on_step_end", "on_log")
        return type("Timer", (TrainerCallback,), {name: staticmethod(getattr(self, name)) for name in names})()

    def report(self) -> dict[str, Any]:
        """What was measured, as plain numbers. Raises RuntimeError when no update was timed."""
        if self.start is None or self.end is None or self.updates < 1:
            raise RuntimeError("no update was timed")
        start, end = self.start, self.end
        real, labels = (end.sums - start.sums).tolist()
        return {
            "updates": self.updates, "seconds": end.wall - start.wall, "cpu_s": end.cpu - start.cpu,
            "tokens": real + end.unpadded - start.unpadded, "label_tokens": labels,
            "places": end.places - start.places, "startup_s": round(self.startup_s, 2),
            "first_losses": self.losses[:20], "last_losses": self.losses[-3:], "gpu_busy": mean_busy(self.busy),
            **memory(),
        }  # fmt: skip


def memory() -> dict[str, Any]:
    """Peak memory in GiB: allocated and reserved on a GPU, resident on a CPU; and the device."""
    import torch

    if torch.cuda.is_available():
        peak, reserved = torch.cuda.max_memory_allocated() / 2**30, torch.cuda.max_memory_reserved() / 2**30
        return {"device": torch.cuda.get_device_name(0), "peak_gib": round(peak, 3), "reserved_gib": round(reserved, 3)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"device": "cpu", "peak_gib": round(peak, 3), "reserved_gib": None}


def watch_gpu() -> subprocess.Popen[str] | None:
    """nvidia-smi telling twice a second how busy the GPU is; None where there is no such program or no GPU."""
    program = shutil.which("nvidia-smi")
    if program is None or not on_gpu():
        return None
    command = [program, "-i", "0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "500"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # found on PATH


def mean_busy(process: subprocess.Popen[str] | None) -> float | None:
    """The mean of what nvidia-smi told, 0 to 1; it is ended."""
    if process is None:
        return None
    process.terminate()
    told = [float(line) for line in process.communicate()[0].split() if line.replace(".", "", 1).isdigit()]
    return round(sum(told) / len(told) / 100, 3) if told else None


def ceilings(seconds: float = 10.0) -> dict[str, Any]:
    """The best bf16 matrix product (FLOP/s) and copy (bytes/s) that this device shows in about `seconds` each."""
    import torch

    size = 8192 if on_gpu() else 256
    device = "cuda" if on_gpu() else "cpu"
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = _best(lambda: torch.mm(a, b), seconds if on_gpu() else 0.2)
    source = torch.empty((2**30 if on_gpu() else 2**22), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = _best(lambda: target.copy_(source), seconds if on_gpu() else 0.2)
    return {"gemm_flops": 2 * size**3 / product, "copy_bytes": 2 * source.numel() / copy, **memory()}


def _best(work: Any, seconds: float, repeats: int = 10) -> float:
    """Seconds of one call, the best of many bunches of `repeats`."""
    work()
    synchronise()
    best, until = float("inf"), time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        for _ in range(repeats):
            work()
        synchronise()
        best = min(best, (time.monotonic() - began) / repeats)
    return best
