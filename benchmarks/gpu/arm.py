"""One arm of the GPU benchmark in a process of its own; the last line of its output is JSON.

    python benchmarks/gpu/arm.py '{"arm": "ours", "shape": "llama-1b", ...}'

Arms: `ours` (spec overrides in `set`), `trl` (SFTConfig fields in `config`: document 001's recipe, LLaMA-Factory's
defaults and TRL's best are such), `unsloth`. All of them take the same rows and the same examples per update.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BEGAN = time.monotonic()
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

WARM = 10  # updates before the clock runs
H200_FLOPS = 989e12  # bf16, datasheet; MFU is quoted against it


class Clock:
    """Time, tokens and label tokens of the updates after the warm ones; a TrainerCallback takes it up."""

    def __init__(self, warm: int) -> None:
        self.warm, self.first, self.marks, self.losses = warm, 0.0, [0.0, 0.0], []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        synchronise()
        self.first = self.first or time.monotonic() - BEGAN
        if state.global_step == self.warm:
            self.marks[0] = time.monotonic()
        self.marks[1] = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def callback(clock: Clock) -> Any:
    """The clock as a callback of transformers."""
    from transformers import TrainerCallback

    names = ("on_step_end", "on_log")
    return type("Timer", (TrainerCallback,), {name: staticmethod(getattr(clock, name)) for name in names})()


def ours(job: dict[str, Any], model: Path, rows: list[dict[str, Any]], scratch: str) -> Any:
    """The lab's trainer with the settings of the job; returns the trainer, its clock and its plan in GiB."""
    from lab.data.example import Example
    from lab.spec import RunSpec, with_overrides
    from lab.training import build
    from lab.training import machine as machines
    from lab.training.choices import choose, planned_gib
    from lab.training.measure import Pace
    from lab.training.methods.adapters import adapt, lora_config
    from lab.training.steps import course
    from lab.training.trainer import LabTrainer, arguments, dataset

    batch = job["batch"]
    common = {"model.source": str(model), "method.rank": job["rank"], "method.alpha": 2 * job["rank"],
              "method.dropout": 0.0, "schedule.max_steps": job["updates"], "schedule.per_device_batch": batch,
              "schedule.accumulation": 1, "data.max_length": job["longest"]}  # fmt: skip
    spec = with_overrides(RunSpec(), common | job.get("set", {}))
    machine = machines.choose(spec.resources)
    dtype = None if spec.method.whole else machine.frozen_dtype
    base = build.load_base(str(model), device=machine.device, **({"dtype": dtype} if dtype else {}))
    machine = machines.with_threads(machine, spec.resources, base.num_parameters())
    examples = [Example("", "", "", "", row["input_ids"], row["labels"], 1) for row in rows]
    choices, clock = choose(spec, machine), Clock(job["warm"])
    wrap = None if spec.method.whole else lambda plain: adapt(
        plain, lora_config(spec.method, plain, spec.method.target_modules, task_type="CAUSAL_LM"), spec
    )  # fmt: skip
    trainer = LabTrainer(
        base, arguments(spec, course(spec, len(examples)), machine, Path(scratch)), dataset(examples),
        build.load_tokenizer(str(model)), machine, Pace(), adapt=wrap, callbacks=[callback(clock)],
        max_length=job["longest"], choices=choices,
    )  # fmt: skip
    return trainer, clock, {"planned_gib": planned_gib(spec, machine, choices), "speed": choices.record()}


def trl(job: dict[str, Any], model: Path, rows: list[dict[str, Any]], scratch: str) -> Any:
    """TRL's trainer with the fields of the job; `nf4`, `adapters` and `dtype` say how the model is loaded."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    options: dict[str, Any] = {"dtype": getattr(torch, job.get("dtype", "float32"))}
    if job.get("nf4"):
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, job["nf4"]),
        )  # fmt: skip
    base = AutoModelForCausalLM.from_pretrained(model, **options).to(device)
    clock = Clock(job["warm"])
    config = {"output_dir": scratch, "max_steps": job["updates"], "report_to": [], "save_strategy": "no",
              "disable_tqdm": True, "max_length": job["longest"], "seed": 0, "use_cpu": device == "cpu",
              "dataset_kwargs": {"skip_prepare_dataset": not job["config"].get("packing")}}  # fmt: skip
    lora = LoraConfig(r=job["rank"], lora_alpha=2 * job["rank"], lora_dropout=0.0, target_modules="all-linear",
                      task_type="CAUSAL_LM")  # fmt: skip
    trainer = SFTTrainer(
        base, SFTConfig(**config | job["config"]), train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(model), peft_config=None if job.get("full") else lora,
        callbacks=[callback(clock)],
    )  # fmt: skip
    if job.get("adapters"):
        for name, weight in trainer.model.named_parameters():
            if "lora_" in name:
                weight.data = weight.data.to(getattr(torch, job["adapters"]))
    return trainer, clock, {}


def unsloth(job: dict[str, Any], model: Path, rows: list[dict[str, Any]], scratch: str) -> Any:
    """Unsloth's fast path, where it is installed; `config` as for TRL, `load` for its loader."""
    from unsloth import FastLanguageModel  # isort: skip  # first, as it asks for
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    base, tokenizer = FastLanguageModel.from_pretrained(str(model), max_seq_length=job["longest"], **job["load"])
    base = FastLanguageModel.get_peft_model(
        base, r=job["rank"], lora_alpha=2 * job["rank"], lora_dropout=0.0,
        use_gradient_checkpointing=job["checkpointing"],
    )  # fmt: skip
    clock = Clock(job["warm"])
    config = {"output_dir": scratch, "max_steps": job["updates"], "report_to": [], "save_strategy": "no", "seed": 0,
              "max_length": job["longest"], "disable_tqdm": True}  # fmt: skip
    trainer = SFTTrainer(base, args=SFTConfig(**config | job["config"]), train_dataset=Dataset.from_list(rows),
                         processing_class=tokenizer, callbacks=[callback(clock)])  # fmt: skip
    return trainer, clock, {}


def figures(job: dict[str, Any], trainer: Any, clock: Clock, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Speed, memory and share of the peak; tokens are the mean of the rows times the examples that were timed."""
    import torch

    from lab.models import facts_of
    from lab.planning import compute, lora

    cuda = torch.cuda.is_available()
    updates = trainer.state.global_step - clock.warm
    seconds = clock.marks[1] - clock.marks[0]
    mean = sum(len(row["input_ids"]) for row in rows) / len(rows)
    labels = sum(sum(label != -100 for label in row["labels"]) for row in rows) / len(rows)
    speed = updates * job["batch"] * mean / seconds
    facts = facts_of(job["model"])
    full = bool(job.get("full")) or job.get("set", {}).get("method.name") == "full"
    trained = facts.parameters if full else lora.adapter_parameters(facts, job["rank"], "all-linear")
    flops = compute.flops_per_token(
        facts, method="full" if full else "lora", trained=trained, context=mean / 2, checkpointing=False
    )
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "device": torch.cuda.get_device_name(0) if cuda else "cpu", "updates": updates, "seconds": round(seconds, 3),
        "tokens_per_s": round(speed, 1), "label_tokens_per_s": round(speed * labels / mean, 1),
        "examples_per_s": round(updates * job["batch"] / seconds, 2), "startup_s": round(clock.first, 2),
        "peak_gib": round(peak / 2**30, 3), "mfu": flops and cuda and round(speed * flops / H200_FLOPS, 4),
        "losses": clock.losses[-3:], "cpu_s": round(time.process_time(), 1),
    }  # fmt: skip


def main() -> None:
    """Run the arm of the command line."""
    job = json.loads(sys.argv[1])
    if job["arm"] == "unsloth" and importlib.util.find_spec("unsloth") is None:
        print(json.dumps({**job, "error": "unsloth is not installed"}))
        return
    from lab.training import libraries  # first: what torch reads when it is loaded

    del libraries
    from shapes import SHAPES, build, rows

    longest = min(job["longest"], SHAPES[job["shape"]].get("n_positions", job["longest"]))
    job["longest"] = longest
    with tempfile.TemporaryDirectory(prefix="lab-gpu-") as scratch:
        model = build(job["shape"], Path(job.get("models") or scratch))
        job["model"] = str(model)
        made = rows(job["data"], job["rows"], SHAPES[job["shape"]]["vocab_size"], longest)
        try:
            trainer, clock, told = {"ours": ours, "trl": trl, "unsloth": unsloth}[job["arm"]](job, model, made, scratch)
            trainer.train()
            report = told | figures(job, trainer, clock, made)
        except Exception as error:  # an arm that cannot run is a result too
            report = {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}"}
    print(json.dumps({**job, **report}), flush=True)


if __name__ == "__main__":
    main()
