"""A setup for TRL's command line: `trl sft --config FILE`, or everything as arguments."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from lab.catalogue.exchange.common import (
    OPTIMIZERS,
    devices,
    never_expressed,
    precision,
    scheduler,
    template_left_out,
    title,
)
from lab.catalogue.exchange.parts import Export, Group, LeftOut, commented_yaml, left_out_comment, merged
from lab.catalogue.exchange.places import Rows, evaluation_steps, model_of
from lab.planning import Plan
from lab.spec import RunSpec
from lab.text import N_

VERSION = "trl 1.16.0, transformers 5.23.0, peft 0.21.2"
OUTPUT = "trl-sft"


def trl_yaml(spec: RunSpec, plan: Plan | None, rows: Rows) -> Export:
    """The file for `trl sft --config FILE`."""
    groups, left_out = _groups(spec, plan, rows, test_split=True)
    head = [f"{title(spec)}, for TRL ({VERSION}).", "Run it with: trl sft --config THIS_FILE"]
    return Export("trl-yaml", "trl-sft.yaml", commented_yaml(head, groups, left_out), left_out)


def trl_command(spec: RunSpec, plan: Plan | None, rows: Rows) -> Export:
    """`trl sft ...` with every setting as an argument, quoted for a shell."""
    groups, left_out = _groups(spec, plan, rows, test_split=False)
    words = ["trl sft"]
    for name, value in merged(groups).items():
        shown = " ".join(shlex.quote(_shown(part)) for part in (value if isinstance(value, list) else [value]))
        words.append(f"--{name} {shown}")
    lines = ["#!/bin/sh", f"# {title(spec)}, for TRL ({VERSION}).", *left_out_comment(left_out)]
    text = "\n".join([*lines, " \\\n    ".join(words)]) + "\n"
    return Export("trl-command", "trl-sft.sh", text, left_out)


def _groups(spec: RunSpec, plan: Plan | None, rows: Rows, *, test_split: bool) -> tuple[list[Group], list[LeftOut]]:
    numbers, left_out = precision(spec)
    data, more = _data(spec, rows, test_split=test_split)
    left_out = never_expressed(spec, "TRL") + more + left_out
    left_out += devices(spec, f"accelerate launch --num_processes {spec.resources.devices} -m trl.scripts.sft")
    evaluation, more = _evaluation(spec, plan, held_out=test_split and spec.data.validation_share > 0)
    schedule, of_schedule = _schedule(spec, plan)
    resources: dict[str, Any] = numbers | {"gradient_checkpointing": spec.resources.gradient_checkpointing}
    if spec.resources.device == "cpu":
        resources["use_cpu"] = True
    output = {"output_dir": OUTPUT, "report_to": "none", "logging_steps": 10, "seed": spec.seed}
    if spec.name:
        output["run_name"] = title(spec)
    groups = [
        Group("model", _model(spec)),
        Group("method", _method(spec)),
        Group("data", data),
        Group("schedule", schedule),
        Group("evaluation and checkpoints", evaluation),
        Group("resources", resources),
        Group("output", output),
    ]
    return groups, left_out + of_schedule + more


def _model(spec: RunSpec) -> dict[str, Any]:
    values: dict[str, Any] = {"model_name_or_path": model_of(spec)}
    if spec.model.revision:
        values["model_revision"] = spec.model.revision
    # Trained weights stay in fp32 under bf16 autocast; frozen ones need no more than 16 bits on a GPU.
    half = spec.method.name != "full" and spec.resources.device != "cpu" and spec.resources.precision != "fp32"
    values["dtype"] = ("float16" if spec.resources.precision == "fp16" else "bfloat16") if half else "float32"
    if spec.model.quantization == "8bit":
        values["load_in_8bit"] = True
    elif spec.model.quantization == "nf4":
        values |= {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "use_bnb_nested_quant": True}
    return values


def _method(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    if method.name not in ("lora", "qlora"):
        return {}
    targets = ["all-linear"] if method.target_modules == "all-linear" else list(method.target_modules)
    return {
        "use_peft": True,
        "lora_r": method.rank,
        "lora_alpha": method.alpha,
        "lora_dropout": method.dropout,
        "lora_target_modules": targets,
    }


def _data(spec: RunSpec, rows: Rows, *, test_split: bool) -> tuple[dict[str, Any], list[LeftOut]]:
    data, left_out, values = spec.data, [], dict[str, Any]()
    if test_split:
        values["datasets"] = [
            {"path": rows.source} if rows.on_hub else {"path": rows.builder, "data_files": rows.source}
        ]
        if data.validation_share > 0:
            values["test_split_size"] = data.validation_share
            left_out.append(LeftOut("data.validation_share", N_("TRL holds out other rows at each start.")))
    else:
        values["dataset_name"] = rows.source if rows.on_hub else str(Path(rows.source).parent)
        left_out += _of_the_command(spec, rows)
    if not ready(rows):
        left_out.append(template_left_out(rows, "TRL"))
    if rows.has_split:
        left_out.append(LeftOut("data.source", N_("The rows name their own part; TRL takes them all for training.")))
    if data.too_long == "drop":
        left_out.append(LeftOut("data.too_long", N_("TRL cuts an example that is too long, it does not drop it.")))
    values |= {"max_length": data.max_length, "packing": data.packing}
    if rows.kind not in ("text", "messages") and rows.template != "chat":
        values["completion_only_loss"] = data.completion_only
    elif rows.kind == "messages" or rows.template == "chat":
        values["assistant_only_loss"] = data.completion_only
        if data.completion_only:
            left_out.append(
                LeftOut("data.completion_only", N_("TRL needs {mark} in the chat template to find the answers."),
                        {"mark": "{% generation %}"}),
            )  # fmt: skip
    return values, left_out


def ready(rows: Rows) -> bool:
    """Whether TRL reads these rows as the lab would train on them, without another step."""
    same = all(role == column for role, column in rows.columns.items())
    if not same:
        return False
    plain = rows.template == "plain" and rows.kind in ("text", "prompt-completion")
    return plain or (rows.template == "chat" and rows.kind == "messages")


def _of_the_command(spec: RunSpec, rows: Rows) -> list[LeftOut]:
    left_out = []
    if not rows.on_hub:
        left_out.append(
            LeftOut("data.source", N_("The arguments name a folder, not one file: keep {file} alone in it."),
                    {"file": Path(rows.source).name}),
        )  # fmt: skip
    if spec.data.validation_share > 0:
        left_out.append(
            LeftOut("data.validation_share", N_("The arguments cannot hold rows out; the YAML for TRL can.")),
        )
    return left_out


def _schedule(spec: RunSpec, plan: Plan | None) -> tuple[dict[str, Any], list[LeftOut]]:
    schedule, regularisation = spec.schedule, spec.regularisation
    name, options, left_out = scheduler(spec, plan)
    length: dict[str, Any] = {"num_train_epochs": schedule.epochs}
    if schedule.max_steps is not None:
        length = {"max_steps": schedule.max_steps}
    values = {
        **length,
        "per_device_train_batch_size": schedule.per_device_batch,
        "gradient_accumulation_steps": schedule.accumulation,
        "learning_rate": schedule.learning_rate,
        "lr_scheduler_type": name,
        **({"lr_scheduler_kwargs": options} if options else {}),
        "warmup_steps": int(schedule.warmup) if schedule.warmup >= 1 else schedule.warmup,
        "weight_decay": schedule.weight_decay,
        "max_grad_norm": schedule.max_grad_norm,
        "optim": OPTIMIZERS[schedule.optimizer],
    }
    if regularisation.label_smoothing:
        values["label_smoothing_factor"] = regularisation.label_smoothing
    if regularisation.neftune_alpha:
        values["neftune_noise_alpha"] = regularisation.neftune_alpha
    return values, left_out


def _evaluation(spec: RunSpec, plan: Plan | None, *, held_out: bool) -> tuple[dict[str, Any], list[LeftOut]]:
    every = evaluation_steps(spec, plan)
    values: dict[str, Any] = {"eval_strategy": "no"}
    if held_out:
        batch = spec.schedule.per_device_batch
        values = {"eval_strategy": "steps", "eval_steps": every or 100, "per_device_eval_batch_size": batch}
        if every is None:
            values = {"eval_strategy": "epoch", "per_device_eval_batch_size": batch}
    saves = spec.checkpoints.every_steps or every
    values |= {"save_strategy": "steps", "save_steps": saves} if saves else {"save_strategy": "epoch"}
    values["save_total_limit"] = spec.checkpoints.keep
    if every is None:
        return values, [
            LeftOut("evaluation.every_steps", N_("The number of steps is not known, so this is once an epoch."))
        ]
    return values, []


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
