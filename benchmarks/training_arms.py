"""The arms of `training_cpu.py`, each a process of its own: one epoch over the same rows, the last line is JSON.

    python benchmarks/training_arms.py ARM MODEL ROWS BATCH LENGTH SCRATCH

ARM is lab, lab-plain (every speed switch off), trl, or llamafactory (in an environment that has it). ROWS is a JSONL
file of {"prompt", "completion"}; every arm trains LoRA of rank 8 on all linear layers, in updates of BATCH examples.
Time is taken from the end of the second update to the end of the last; imports and loading are `startup_s`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

BEGAN = time.monotonic()
RANK, ALPHA, RATE = 8, 16, 2e-4
FREE = 2  # updates before the clock runs: caches and kernels of the first shapes


class Clock:
    """Wall seconds between the end of update FREE and the last one; mixed into a TrainerCallback of any version."""

    def __init__(self) -> None:
        self.began = self.ended = self.first = self.cpu = self.cpu_ended = 0.0
        self.losses: list[float] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.first = time.monotonic() - BEGAN

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.ended, self.cpu_ended = time.monotonic(), time.process_time()
        if state.global_step == FREE:
            self.began, self.cpu = self.ended, self.cpu_ended

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def counted(lengths: list[int], batch: int, updates: int) -> int:
    """Real tokens of the updates that were timed: the mean of a random order, exact for the whole epoch."""
    timed = min(len(lengths), updates * batch) - FREE * batch
    return round(sum(lengths) / len(lengths) * timed)


def read(path: str) -> list[dict[str, str]]:
    """The rows, prompt and completion as text."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def trl(model: str, rows: str, batch: int, length: int, scratch: str) -> dict[str, Any]:
    """TRL as its documentation uses it: defaults, with the rows' own format and the LoRA of the comparison."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Timer(Clock, TrainerCallback):
        pass

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.unk_token or tokenizer.eos_token
    size = min(8, batch)  # the default
    config = SFTConfig(
        output_dir=scratch, num_train_epochs=1, per_device_train_batch_size=size,
        gradient_accumulation_steps=batch // size, learning_rate=RATE, max_length=length, use_cpu=True, report_to=[],
        save_strategy="no", disable_tqdm=True, seed=42,
    )  # fmt: skip
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    timer = Timer()
    trainer = SFTTrainer(
        model, config, train_dataset=Dataset.from_list(read(rows)), processing_class=tokenizer, peft_config=lora,
        callbacks=[timer],
    )  # fmt: skip
    trainer.train()
    lengths = [len(ids) for ids in trainer.train_dataset["input_ids"]]
    return told(timer, lengths, batch, trainer.state.global_step, torch.get_num_threads(), torch.__version__)


def lab(model: str, rows: str, batch: int, length: int, scratch: str, *, plain: bool = False) -> dict[str, Any]:
    """The lab's worker, as `lab train` runs it, with its events, without evaluation in between."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    os.environ["LAB_HOME"] = str(Path(scratch) / "home")
    from lab.runs.directory import RunDirectory
    from lab.runs.events import EventWriter
    from lab.runs.stopping import StopFlag
    from lab.spec import RunSpec, dump, with_overrides
    from lab.spec.parts.speed import PLAIN

    settings = {
        "model.source": model, "data.source": rows, "data.max_length": length, "data.validation_share": 0.0,
        "method.rank": RANK, "method.alpha": ALPHA, "method.dropout": 0.0, "schedule.epochs": 1.0,
        "schedule.per_device_batch": min(8, batch), "schedule.accumulation": batch // min(8, batch),
        "schedule.learning_rate": RATE, "data.template": "plain",
    } | (PLAIN if plain else {})  # fmt: skip
    folder = Path(scratch) / "run"
    (folder / "attempts" / "1").mkdir(parents=True)
    (folder / "spec.yaml").write_text(dump(with_overrides(RunSpec(), settings)))
    (folder / "request.json").write_text('{"kind": "train", "until_step": null}')
    from lab.training import libraries, worker  # first: it settles how torch waits

    import torch  # isort: skip

    directory = RunDirectory(folder)
    from lab.training import trainer as trainers

    timer: list[Any] = []
    original = trainers.LabTrainer.train

    def train(self: Any, *args: Any, **kwargs: Any) -> Any:
        from transformers import TrainerCallback

        class Timer(Clock, TrainerCallback):
            pass

        timer.extend([Timer(), self])
        self.add_callback(timer[0])
        return original(self, *args, **kwargs)

    trainers.LabTrainer.train = train  # type: ignore[method-assign]
    result = worker.run(directory, EventWriter(directory, 1), StopFlag(), 1)
    clock, trained = timer
    report = told(clock, trained.train_dataset.lengths, batch, result["step"], torch.get_num_threads(),
                  libraries.versions()["torch"])  # fmt: skip
    return report | {"speed": result.get("speed"), "attention": trained.attention_name}


def llamafactory(model: str, rows: str, batch: int, length: int, scratch: str) -> dict[str, Any]:
    """LLaMA-Factory with its defaults for LoRA, the rows' text as it stands (template `empty`)."""
    import torch
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    class Timer(Clock, TrainerCallback):
        lengths: list[int]
        steps = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            super().on_train_begin(args, state, control)
            self.lengths = [len(ids) for ids in kwargs["train_dataloader"].dataset["input_ids"]]

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.steps = state.global_step

    folder = Path(scratch)
    table = [{"instruction": row["prompt"], "input": "", "output": row["completion"]} for row in read(rows)]
    (folder / "rows.json").write_text(json.dumps(table))
    (folder / "dataset_info.json").write_text(json.dumps({"rows": {"file_name": "rows.json"}}))
    timer = Timer()
    run_exp(
        {
            "stage": "sft", "do_train": True, "model_name_or_path": model, "dataset": "rows", "dataset_dir": scratch,
            "template": "empty", "finetuning_type": "lora", "lora_rank": RANK, "lora_alpha": ALPHA,
            "lora_target": "all", "cutoff_len": length, "output_dir": str(folder / "out"), "overwrite_cache": True,
            "per_device_train_batch_size": min(2, batch), "gradient_accumulation_steps": batch // min(2, batch),
            "learning_rate": RATE, "num_train_epochs": 1.0, "bf16": True, "save_strategy": "no", "report_to": "none",
            "disable_tqdm": True, "seed": 42, "logging_steps": 10, "use_cpu": True,
        },
        callbacks=[timer],
    )  # fmt: skip
    return told(timer, timer.lengths, batch, timer.steps, torch.get_num_threads(), torch.__version__)


def told(clock: Clock, lengths: list[int], batch: int, updates: int, threads: int, version: str) -> dict[str, Any]:
    """The figures of one arm."""
    seconds = clock.ended - clock.began
    tokens = counted(lengths, batch, updates)
    return {
        "tokens_per_s": round(tokens / seconds, 1), "train_s": round(seconds, 3), "updates": updates,
        "train_cpu_s": round(clock.cpu_ended - clock.cpu, 3),
        "examples": len(lengths), "tokens": sum(lengths), "startup_s": round(clock.first, 2), "threads": threads,
        "first_loss": (clock.losses or [None])[0], "last_loss": (clock.losses or [None])[-1], "torch": version,
    }  # fmt: skip


def main() -> None:
    """Run one arm."""
    arm, model, rows, batch, length, scratch = sys.argv[1:7]
    work = {"trl": trl, "lab": lab, "llamafactory": llamafactory}
    if arm == "lab-plain":
        report = lab(model, rows, int(batch), int(length), scratch, plain=True)
    else:
        report = work[arm](model, rows, int(batch), int(length), scratch)
    print(json.dumps({"arm": arm} | report), flush=True)


if __name__ == "__main__":
    main()
