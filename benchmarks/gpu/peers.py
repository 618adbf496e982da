"""The arms of the peers: plain TRL, LLaMA-Factory and Unsloth, each in an environment that has it.

All take the same rows, already ids and labels, so that no tokenizer is in the loop.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from meter import Meter, on_gpu


def trl(job: dict[str, Any], rows: list[dict[str, Any]], meter: Meter, scratch: str) -> None:
    """TRL's trainer with the fields of the job; `nf4`, `adapters` and `dtype` say how the model is loaded."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    device = "cuda" if on_gpu() else "cpu"
    options: dict[str, Any] = {"dtype": getattr(torch, job.get("dtype", "float32")), "device_map": {"": device}}
    if job.get("nf4"):
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, job["nf4"]),
        )  # fmt: skip
    base = AutoModelForCausalLM.from_pretrained(job["model"], **options)
    config = common(job, scratch) | {"max_length": job["longest"], "use_cpu": device == "cpu",
              "dataset_kwargs": {"skip_prepare_dataset": not job["config"].get("packing")}}  # fmt: skip
    lora = LoraConfig(r=job["rank"], lora_alpha=2 * job["rank"], lora_dropout=0.0, target_modules="all-linear",
                      task_type="CAUSAL_LM")  # fmt: skip
    trainer = SFTTrainer(
        base, SFTConfig(**config | job["config"]), train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(job["model"]), peft_config=None if job.get("full") else lora,
        callbacks=[meter.callback()],
    )  # fmt: skip
    if job.get("adapters"):
        for name, weight in trainer.model.named_parameters():
            if "lora_" in name:
                weight.data = weight.data.to(getattr(torch, job["adapters"]))
    trainer.train()


def llamafactory(job: dict[str, Any], rows: list[dict[str, Any]], meter: Meter, scratch: str) -> None:
    """LLaMA-Factory itself with its defaults for LoRA, from a data set that is tokenized already."""
    from datasets import Dataset, DatasetDict
    from llamafactory.train.tuner import run_exp

    folder = Path(scratch) / "tokenized"
    table = [row | {"attention_mask": [1] * len(row["input_ids"])} for row in rows]
    DatasetDict({"train": Dataset.from_list(table)}).save_to_disk(str(folder))
    (Path(scratch) / "dataset_info.json").write_text(json.dumps({"rows": {"file_name": "rows.json"}}))
    given = {
        "stage": "sft", "do_train": True, "model_name_or_path": job["model"], "dataset": "rows",
        "dataset_dir": scratch, "tokenized_path": str(folder), "template": "empty", "finetuning_type": "lora",
        "lora_rank": job["rank"], "lora_alpha": 2 * job["rank"], "lora_target": "all", "cutoff_len": job["longest"],
        "output_dir": str(Path(scratch) / "out"), "save_strategy": "no", "report_to": "none", "disable_tqdm": True,
        "max_steps": job["updates"], "seed": 0, "logging_steps": 1, "learning_rate": 2e-4, "use_cpu": not on_gpu(),
    }  # fmt: skip
    run_exp(given | job["config"], callbacks=[meter.callback()])


def unsloth(job: dict[str, Any], rows: list[dict[str, Any]], meter: Meter, scratch: str) -> None:
    """Unsloth's fast path; `config` as for TRL, `load` for its loader."""
    from unsloth import FastLanguageModel  # isort: skip  # first, as it asks for
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    meter.attach()
    base, tokenizer = FastLanguageModel.from_pretrained(job["model"], max_seq_length=job["longest"], **job["load"])
    base = FastLanguageModel.get_peft_model(
        base, r=job["rank"], lora_alpha=2 * job["rank"], lora_dropout=0.0,
        use_gradient_checkpointing=job["checkpointing"],
    )  # fmt: skip
    config = common(job, scratch) | {"max_length": job["longest"]} | job["config"]
    trainer = SFTTrainer(base, args=SFTConfig(**config), train_dataset=Dataset.from_list(rows),
                         processing_class=tokenizer, callbacks=[meter.callback()])  # fmt: skip
    trainer.train()


def common(job: dict[str, Any], scratch: str) -> dict[str, Any]:
    """What the arms on TRL's trainer share."""
    return {"output_dir": scratch, "max_steps": job["updates"], "report_to": [], "save_strategy": "no",
            "disable_tqdm": True, "seed": 0, "logging_steps": 1, "learning_rate": 2e-4}  # fmt: skip
