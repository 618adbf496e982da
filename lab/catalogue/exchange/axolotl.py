"""A setup for Axolotl: `axolotl train FILE`."""

from __future__ import annotations

import math
from typing import Any

from lab.catalogue.exchange.common import OPTIMIZERS, devices, never_expressed, scheduler, title
from lab.catalogue.exchange.parts import Export, Group, LeftOut, commented_yaml
from lab.catalogue.exchange.places import Rows, evaluation_steps, forms, model_of
from lab.planning import Plan
from lab.spec import RunSpec
from lab.text import N_

VERSION = "axolotl 0.19.0"
OUTPUT = "axolotl-out"

# Which of a kind's roles Axolotl calls instruction, input and output.
_FIELDS = {
    "instruction": ("instruction", "input", "output"),
    "question-answer": ("question", "context", "answer"),
    "prompt-completion": ("prompt", "", "completion"),
}


def axolotl_yaml(spec: RunSpec, plan: Plan | None, rows: Rows) -> Export:
    """The file for `axolotl train FILE`."""
    data, left_out = _data(spec, rows)
    left_out = never_expressed(spec, "Axolotl") + left_out
    launch = f"axolotl train THIS_FILE --launcher torchrun -- --nproc_per_node={spec.resources.devices}"
    left_out += devices(spec, launch)
    evaluation, more = _evaluation(spec, plan)
    schedule, of_schedule = _schedule(spec, plan)
    groups = [
        Group("model", _model(spec)),
        Group("method", _method(spec)),
        Group("data", data),
        Group("schedule", schedule),
        Group("evaluation and checkpoints", evaluation),
        Group("resources and output", _resources(spec)),
    ]
    left_out += of_schedule + more
    head = [f"{title(spec)}, for Axolotl ({VERSION}).", "Run it with: axolotl train THIS_FILE"]
    return Export("axolotl", "axolotl.yaml", commented_yaml(head, groups, left_out), left_out)


def _model(spec: RunSpec) -> dict[str, Any]:
    values: dict[str, Any] = {"base_model": model_of(spec)}
    if spec.model.revision:
        values["revision_of_model"] = spec.model.revision
    if spec.model.quantization != "none":
        values["load_in_8bit" if spec.model.quantization == "8bit" else "load_in_4bit"] = True
    return values


def _method(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    if method.name not in ("lora", "qlora"):
        return {}
    values: dict[str, Any] = {
        "adapter": "qlora" if spec.model.quantization == "nf4" else "lora",
        "lora_r": method.rank,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
    }
    if method.target_modules == "all-linear":
        return values | {"lora_target_linear": True}
    return values | {"lora_target_modules": list(method.target_modules)}


def _data(spec: RunSpec, rows: Rows) -> tuple[dict[str, Any], list[LeftOut]]:
    place = {"path": rows.source} if rows.on_hub else {"path": rows.source, "ds_type": rows.builder}
    form, left_out = _form(rows)
    if rows.has_split:
        left_out.append(
            LeftOut("data.source", N_("The rows name their own part; Axolotl takes them all for training."))
        )
    if spec.data.validation_share > 0:
        left_out.append(LeftOut("data.validation_share", N_("Axolotl draws the held-out rows in its own way.")))
    data = spec.data
    return {
        "datasets": [{**place, "split": "train", **form}],
        "val_set_size": data.validation_share,
        "sequence_len": data.max_length,
        "excess_length_strategy": "drop" if data.too_long == "drop" else "truncate",
        "sample_packing": data.packing,
        "train_on_inputs": not data.completion_only,
    }, left_out


def _form(rows: Rows) -> tuple[dict[str, Any], list[LeftOut]]:
    """How Axolotl puts the template around the rows, and what of it it cannot."""
    if rows.template == "chat" and rows.kind in ("messages", ""):
        column = rows.columns.get("messages", "messages")
        return {"type": "chat_template", "field_messages": column}, []
    if rows.kind == "text":
        return {"type": "completion", "field": rows.columns.get("text", "text")}, []
    if rows.kind not in _FIELDS or rows.template in ("", "chat"):
        return {"type": "alpaca"}, [
            LeftOut("data.template", N_("How the rows become a prompt is not known; `type: alpaca` is a guess.")),
        ]
    return {"type": _custom(rows)}, []


def _custom(rows: Rows) -> dict[str, Any]:
    """The template as Axolotl's own words: {instruction}, {input}; the end token is added by Axolotl."""
    asked, extra, answer = _FIELDS[rows.kind]
    with_input, without = _prompts(rows, asked, extra)
    values = {
        "system_prompt": "",
        "field_instruction": rows.columns.get(asked, asked),
        "field_output": rows.columns.get(answer, answer),
        "format": with_input,
        "no_input_format": without,
    }
    if extra and extra in rows.columns:
        values["field_input"] = rows.columns[extra]
    return values


def _prompts(rows: Rows, asked: str, extra: str) -> tuple[str, str]:
    usable = [form for form in forms(rows.template) if form.get("kind", rows.kind) == rows.kind]
    plain = next(form["prompt"] for form in usable if not form.get("needs"))
    longer = next((form["prompt"] for form in usable if form.get("needs")), plain)
    names = {"prompt": "{instruction}", "question": "{instruction}", "instruction": "{instruction}",
             "input": "{input}", "context": "{input}"}  # fmt: skip
    return longer.format(**names), plain.format(**names)


def _schedule(spec: RunSpec, plan: Plan | None) -> tuple[dict[str, Any], list[LeftOut]]:
    schedule = spec.schedule
    name, options, left_out = scheduler(spec, plan)
    values: dict[str, Any] = {"num_epochs": schedule.epochs}
    if schedule.max_steps is not None:
        # Axolotl stops at whichever comes first, so there have to be epochs enough.
        enough = math.ceil(plan.epochs) + 1 if plan and plan.epochs else 1000
        values = {"num_epochs": enough, "max_steps": schedule.max_steps}
    warmup = {"warmup_ratio": schedule.warmup}
    if schedule.warmup >= 1:
        warmup = {"warmup_steps": int(schedule.warmup)}
    values |= {
        "micro_batch_size": schedule.per_device_batch,
        "gradient_accumulation_steps": schedule.accumulation,
        "learning_rate": schedule.learning_rate,
        "lr_scheduler": name,
        **({"lr_scheduler_kwargs": options} if options else {}),
        **warmup,
        "weight_decay": schedule.weight_decay,
        "max_grad_norm": schedule.max_grad_norm,
        "optimizer": OPTIMIZERS[schedule.optimizer],
    }
    if spec.regularisation.neftune_alpha:
        values["neftune_noise_alpha"] = spec.regularisation.neftune_alpha
    if spec.regularisation.label_smoothing:
        left_out.append(LeftOut("regularisation.label_smoothing", N_("Axolotl smooths no labels in this task.")))
    return values, left_out


def _evaluation(spec: RunSpec, plan: Plan | None) -> tuple[dict[str, Any], list[LeftOut]]:
    every = evaluation_steps(spec, plan)
    saves = spec.checkpoints.every_steps or every
    values: dict[str, Any] = {"save_steps": saves} if saves else {"saves_per_epoch": 1}
    if spec.data.validation_share > 0:
        values |= {"eval_steps": every} if every else {"evals_per_epoch": 1}
    values["save_total_limit"] = spec.checkpoints.keep
    if every is not None:
        return values, []
    return values, [
        LeftOut("evaluation.every_steps", N_("The number of steps is not known, so this is once an epoch."))
    ]


def _resources(spec: RunSpec) -> dict[str, Any]:
    wanted = spec.resources.precision
    return {
        "bf16": "auto" if wanted == "auto" else wanted == "bf16",
        "fp16": wanted == "fp16",
        "gradient_checkpointing": spec.resources.gradient_checkpointing,
        "seed": spec.seed,
        "output_dir": OUTPUT,
    }
