"""A setup for LLaMA-Factory: `llamafactory-cli train FILE`."""

from __future__ import annotations

import json
from typing import Any

from lab.catalogue.exchange.common import OPTIMIZERS, devices, never_expressed, precision, scheduler, title
from lab.catalogue.exchange.parts import Export, Group, LeftOut, commented_yaml
from lab.catalogue.exchange.places import Rows, evaluation_steps, model_of
from lab.planning import Plan
from lab.spec import RunSpec
from lab.text import N_

VERSION = "llamafactory 0.9.5"
OUTPUT = "llamafactory-out"
DATASET = "lab_data"  # the name under which data/dataset_info.json has to know the rows

# Which of a kind's roles LLaMA-Factory calls prompt, query and response.
_COLUMNS = {
    "instruction": {"prompt": "instruction", "query": "input", "response": "output"},
    "question-answer": {"prompt": "question", "query": "context", "response": "answer"},
    "prompt-completion": {"prompt": "prompt", "response": "completion"},
}


def llamafactory_yaml(spec: RunSpec, plan: Plan | None, rows: Rows) -> Export:
    """The file for `llamafactory-cli train FILE`, and the entry that data/dataset_info.json needs."""
    numbers, left_out = precision(spec)
    data, more = _data(spec, rows)
    left_out = never_expressed(spec, "LLaMA-Factory") + more + left_out
    left_out += devices(spec, "FORCE_TORCHRUN=1 llamafactory-cli train THIS_FILE")
    evaluation, more = _evaluation(spec, plan)
    schedule, of_schedule = _schedule(spec, plan)
    resources: dict[str, Any] = numbers | {
        "disable_gradient_checkpointing": not spec.resources.gradient_checkpointing,
        "seed": spec.seed,
        "output_dir": OUTPUT,
        "report_to": "none",
    }
    groups = [
        Group("model", _model(spec)),
        Group("method", _method(spec)),
        Group("data", data),
        Group("schedule", schedule),
        Group("evaluation and checkpoints", evaluation),
        Group("resources and output", resources),
    ]
    left_out += of_schedule + more
    head = [
        f"{title(spec)}, for LLaMA-Factory ({VERSION}).",
        "Run it with: llamafactory-cli train THIS_FILE",
        *_entry(rows),
    ]
    return Export("llamafactory", "llamafactory.yaml", commented_yaml(head, groups, left_out), left_out)


def dataset_info(rows: Rows) -> dict[str, Any]:
    """The entry for data/dataset_info.json that tells LLaMA-Factory where the rows are and what they hold."""
    place = {"hf_hub_url": rows.source} if rows.on_hub else {"file_name": rows.source}
    if rows.kind == "messages":
        return place | {
            "formatting": "sharegpt",
            "columns": {"messages": rows.columns.get("messages", "messages")},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
                     "system_tag": "system"},
        }  # fmt: skip
    if rows.kind == "text":
        return place | {"columns": {"prompt": rows.columns.get("text", "text")}}
    roles = _COLUMNS.get(rows.kind, {})
    columns = {name: rows.columns[role] for name, role in roles.items() if role in rows.columns}
    return place | ({"columns": columns} if columns else {})


def _entry(rows: Rows) -> list[str]:
    shown = json.dumps({DATASET: dataset_info(rows)}, indent=2, ensure_ascii=False)
    return ["Its folder data/ needs a dataset_info.json with:", *shown.splitlines()]


def _model(spec: RunSpec) -> dict[str, Any]:
    values: dict[str, Any] = {"model_name_or_path": model_of(spec)}
    if spec.model.revision:
        values["model_revision"] = spec.model.revision
    if spec.model.quantization == "8bit":
        values |= {"quantization_bit": 8, "quantization_method": "bnb"}
    elif spec.model.quantization == "nf4":
        values |= {"quantization_bit": 4, "quantization_method": "bnb", "quantization_type": "nf4"}
    return values


def _method(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    values: dict[str, Any] = {"stage": "sft", "do_train": True, "finetuning_type": "full"}
    if method.name not in ("lora", "qlora"):
        return values
    targets = "all" if method.target_modules == "all-linear" else ",".join(method.target_modules)
    return values | {
        "finetuning_type": "lora",
        "lora_rank": method.rank,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "lora_target": targets,
    }


def _data(spec: RunSpec, rows: Rows) -> tuple[dict[str, Any], list[LeftOut]]:
    data = spec.data
    template, left_out = _template(rows)
    if rows.kind == "text":
        left_out.append(LeftOut("data.source", N_("Rows of plain text need `stage: pt` in LLaMA-Factory.")))
    if rows.has_split:
        left_out.append(
            LeftOut("data.source", N_("The rows name their own part; LLaMA-Factory takes them all for training."))
        )
    if data.validation_share > 0:
        left_out.append(LeftOut("data.validation_share", N_("LLaMA-Factory draws the held-out rows in its own way.")))
    if data.too_long == "drop":
        left_out.append(
            LeftOut("data.too_long", N_("LLaMA-Factory cuts an example that is too long, it does not drop it."))
        )
    return {
        "dataset": DATASET,
        "dataset_dir": "data",
        **template,
        "cutoff_len": data.max_length,
        "train_on_prompt": not data.completion_only,
        "packing": data.packing,
        "val_size": data.validation_share,
    }, left_out


def _template(rows: Rows) -> tuple[dict[str, str], list[LeftOut]]:
    """The nearest template: without a name LLaMA-Factory takes the tokenizer's own chat template."""
    if rows.template == "chat":
        return {}, []
    name = "alpaca" if rows.template == "alpaca" else "default"
    return {"template": name}, [
        LeftOut(
            "data.template",
            N_("LLaMA-Factory has its own templates; {name} is the nearest to {ours}, its words differ."),
            {"name": name, "ours": rows.template or "auto"},
        )
    ]


def _schedule(spec: RunSpec, plan: Plan | None) -> tuple[dict[str, Any], list[LeftOut]]:
    schedule, regularisation = spec.schedule, spec.regularisation
    name, options, left_out = scheduler(spec, plan)
    values: dict[str, Any] = {"num_train_epochs": schedule.epochs}
    if schedule.max_steps is not None:
        values = {"max_steps": schedule.max_steps}
    warmup: dict[str, Any] = {"warmup_ratio": schedule.warmup}  # the Trainer of later versions has steps only
    if schedule.warmup >= 1 or (plan and plan.warmup_steps is not None):
        warmup = {"warmup_steps": plan.warmup_steps if plan and plan.steps else int(schedule.warmup)}
    values |= {
        "per_device_train_batch_size": schedule.per_device_batch,
        "gradient_accumulation_steps": schedule.accumulation,
        "learning_rate": schedule.learning_rate,
        "lr_scheduler_type": name,
        **({"lr_scheduler_kwargs": options} if options else {}),
        **warmup,
        "weight_decay": schedule.weight_decay,
        "max_grad_norm": schedule.max_grad_norm,
        "optim": OPTIMIZERS[schedule.optimizer],
    }
    if regularisation.label_smoothing:
        values["label_smoothing_factor"] = regularisation.label_smoothing
    if regularisation.neftune_alpha:
        values["neftune_noise_alpha"] = regularisation.neftune_alpha
    return values, left_out


def _evaluation(spec: RunSpec, plan: Plan | None) -> tuple[dict[str, Any], list[LeftOut]]:
    every = evaluation_steps(spec, plan)
    saves = spec.checkpoints.every_steps or every
    values: dict[str, Any] = {"logging_steps": 10}
    values |= {"save_strategy": "steps", "save_steps": saves} if saves else {"save_strategy": "epoch"}
    values["save_total_limit"] = spec.checkpoints.keep
    if spec.data.validation_share > 0:
        values |= {"eval_strategy": "steps", "eval_steps": every} if every else {"eval_strategy": "epoch"}
        values["per_device_eval_batch_size"] = spec.schedule.per_device_batch
    if every is not None:
        return values, []
    return values, [
        LeftOut("evaluation.every_steps", N_("The number of steps is not known, so this is once an epoch."))
    ]
