"""Which device, number format and number of threads a run computes with."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch

from lab.errors import InputError
from lab.spec import ResourceSpec
from lab.text import N_

# Parameters below which threads mostly wait for each other. With passes of 4,096 tokens two threads are a fifth faster
# from here on (260,000 parameters: 20,500 against 16,000 tokens/s; 2.9 million: 8,300 against 6,600).
SMALL = 200_000


@dataclass(frozen=True)
class Machine:
    """Where a run computes: `device` cpu or cuda, `precision` bf16 or fp32, `threads` those of a CPU."""

    device: str
    precision: str
    threads: int

    @property
    def name(self) -> str:
        """The device in words."""
        if self.device == "cuda":
            return str(torch.cuda.get_device_name(0))
        return "CPU, 1 thread" if self.threads == 1 else f"CPU, {self.threads} threads"

    @property
    def frozen_dtype(self) -> torch.dtype:
        """The format of weights that are not trained: bf16 on a GPU, where fp32 would cost time."""
        return torch.bfloat16 if self.precision == "bf16" and self.device == "cuda" else torch.float32

    def autocast(self) -> torch.autocast:
        """The number format of the training's forward pass."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")

    def inference(self) -> torch.autocast:
        """The number format of evaluation and generation.

        On a CPU that is the format of the weights, so that the saved model, loaded anywhere, gives the same
        figures; reading a prompt is cheap there. On a GPU fp32 would be several times slower than bf16.
        """
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16" and self.device == "cuda")


def choose(resources: ResourceSpec) -> Machine:
    """The device and number format of a run, with all cores. Raises InputError without the GPU asked for."""
    if resources.device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            N_("There is no GPU that torch can use."),
            where="resources.device",
            next=N_("Choose auto or cpu."),
        )
    device = "cuda" if torch.cuda.is_available() and resources.device != "cpu" else "cpu"
    precision = resources.precision
    if precision == "auto":
        precision = "bf16" if has_bf16(device) else "fp32"
    # On a CPU: fp32 products go through oneDNN, 2.4 times faster than MKL on AMD, with an error of 3e-7. On a
    # GPU: TF32.
    torch.set_float32_matmul_precision("medium" if device == "cpu" else "high")
    return Machine(device, precision, _cores())


def with_threads(machine: Machine, resources: ResourceSpec, parameters: int) -> Machine:
    """The machine with the threads that suit a model of this many parameters, which torch is told to use."""
    threads = resources.threads or default_threads(parameters)
    torch.set_num_threads(threads)
    return replace(machine, threads=threads)


def has_bf16(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device == "cuda":
        return torch.cuda.get_device_capability(0) >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def default_threads(parameters: int) -> int:
    """Threads for a model of this many parameters: one for a small one, else the cores that this process may use.

    It never depends on the load: with other threads a resumed run would end with slightly other weights.
    """
    return 1 if parameters < SMALL else _cores()


def peak_memory_gib(device: str) -> float:
    """Largest memory so far, in GiB: allocated on the GPU, or resident in this process on a CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return _resident_kib() / 2**20


def _resident_kib() -> int:
    """The most that this program had in memory; what getrusage tells begins with the memory of whoever started it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return found[0] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _cores() -> int:
    logical = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(logical, psutil.cpu_count(logical=False) or logical)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave torch's random state as it was: an evaluation more or less must not change the training after it.

    (A DataLoader's iterator and sampling both draw numbers; so does generation with a temperature.)
    """
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        yield
