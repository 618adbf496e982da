"""A setup as a Python script that needs transformers, TRL and PEFT, but not the lab.

The script is presets/exchange/sft_script.py.txt with the settings of one setup in place. It trains as the lab does:
the same template, the end token trained, the prompt out of the loss, the same rows held out.
"""

from __future__ import annotations

import pprint
from importlib import metadata
from typing import Any

from lab.catalogue.exchange.common import OPTIMIZERS, of_other_parts, preparation, scheduler
from lab.catalogue.exchange.parts import Export, LeftOut, wrapped
from lab.catalogue.exchange.places import Rows, forms, model_of
from lab.planning import Plan
from lab.presets import presets_dir
from lab.spec import RunSpec
from lab.spec.parts.schedule import PLAIN_OPTIMIZERS
from lab.text import N_

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
CELL = "# %%"


def script(spec: RunSpec, plan: Plan | None, rows: Rows) -> Export:
    """The script as a file; the versions in its head are those that this lab runs with."""
    left_out = _left_out(spec, rows)
    return Export("script", "fine_tune.py", script_text(spec, rows, left_out), left_out)


def script_text(spec: RunSpec, rows: Rows, left_out: list[LeftOut]) -> str:
    """The script with the cells of a notebook marked by `# %%`."""
    text = (presets_dir() / "exchange" / "sft_script.py.txt").read_text(encoding="utf-8")
    head = "\n".join(f"# {line}".rstrip() for line in title(spec, left_out))
    return text.replace("# @@TITLE@@", head).replace("@@SETTINGS@@", _settings(spec, rows))


def title(spec: RunSpec, left_out: list[LeftOut]) -> list[str]:
    """The head of script and notebook: what it is, what it needs, what is not in it."""
    lines = [f"# {_one_line(spec.name) or 'Fine-tuning'}", "Made by the Fine-Tuning Lab. It needs:", ""]
    lines += [f"    pip install {' '.join(_pinned(name) for name in needed(spec))}"]
    for entry in left_out:
        first, *rest = wrapped(f"{entry.path}: {entry.why}")
        lines += ["", "Not in it:", ""] if entry is left_out[0] else []
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return lines


def needed(spec: RunSpec) -> list[str]:
    """The packages that the script imports."""
    eight = spec.model.quantization != "none" or spec.schedule.optimizer not in PLAIN_OPTIMIZERS
    return [*PACKAGES, *(["bitsandbytes"] if eight else [])]


def _pinned(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return name  # not part of this installation, so there is no version that it was tried with


def _settings(spec: RunSpec, rows: Rows) -> str:
    names = [rows.template] if rows.template else ["alpaca", "question-answer", "plain"]
    if rows.template == "chat":
        names = []
    lines = [
        *_lines(_model_and_data(spec, rows)),
        f"FORMS = {pprint.pformat({name: forms(name) for name in names}, width=110, sort_dicts=False)}",
        "",
        *_lines(_method(spec)),
        "",
        *_lines(_schedule(spec)),
        "",
        *_lines(_measures(spec)),
        "",
        *_precision(spec),
    ]
    return "\n".join(lines)


def _model_and_data(spec: RunSpec, rows: Rows) -> dict[str, Any]:
    return {
        "MODEL": model_of(spec),
        "REVISION": spec.model.revision or None,
        "QUANTIZATION": spec.model.quantization,
        "DATA": rows.source,
        "DATA_ON_HUB": rows.on_hub,
        "ENCODING": spec.data.encoding or "utf-8-sig",
        "COLUMNS": rows.columns,
        "HAS_SPLIT": rows.has_split,
        "TEMPLATE": rows.template or "auto",
        "MAX_LENGTH": spec.data.max_length,
        "TOO_LONG": spec.data.too_long,
        "COMPLETION_ONLY": spec.data.completion_only,
        "VALIDATION_SHARE": spec.data.validation_share,
        "SEED": spec.seed,
    }


def _method(spec: RunSpec) -> dict[str, Any]:
    method = spec.method
    lora = {"r": method.rank, "lora_alpha": method.alpha, "lora_dropout": method.dropout,
            "target_modules": method.target_modules}  # fmt: skip
    return {"LORA": lora if method.name in ("lora", "qlora") else None}


def _schedule(spec: RunSpec) -> dict[str, Any]:
    schedule = spec.schedule
    name, options, _ = scheduler(spec, None)
    options.pop("num_decay_steps", None)  # the script counts its own steps
    return {
        "EPOCHS": schedule.epochs,
        "MAX_STEPS": schedule.max_steps,
        "PER_DEVICE_BATCH": schedule.per_device_batch,
        "ACCUMULATION": schedule.accumulation,
        "LEARNING_RATE": schedule.learning_rate,
        "SCHEDULER": name,
        "SCHEDULER_OPTIONS": options,
        **({"DECAY": schedule.decay} if schedule.scheduler == "wsd" else {}),
        "WARMUP": int(schedule.warmup) if schedule.warmup >= 1 else schedule.warmup,
        "WEIGHT_DECAY": schedule.weight_decay,
        "MAX_GRAD_NORM": schedule.max_grad_norm,
        "OPTIMIZER": OPTIMIZERS[schedule.optimizer],
        "LABEL_SMOOTHING": spec.regularisation.label_smoothing,
        "NEFTUNE_ALPHA": spec.regularisation.neftune_alpha,
    }


def _measures(spec: RunSpec) -> dict[str, Any]:
    return {
        "EVALUATE_EVERY": spec.evaluation.every_steps,
        "SAVE_EVERY": spec.checkpoints.every_steps,
        "CHECKPOINTS_KEPT": spec.checkpoints.keep,
        "MAX_HELD_OUT": spec.evaluation.max_examples,
        "SAMPLES": spec.evaluation.samples,
        "MAX_NEW_TOKENS": spec.evaluation.max_new_tokens,
        "GRADIENT_CHECKPOINTING": spec.resources.gradient_checkpointing,
        "USE_CPU": spec.resources.device == "cpu",
        "OUTPUT_DIR": "fine-tuned",
    }


def _precision(spec: RunSpec) -> list[str]:
    wanted = spec.resources.precision
    if wanted != "auto":
        return [f"BF16, FP16 = {wanted == 'bf16'}, {wanted == 'fp16'}"]
    return [
        "# bf16 where the GPU has it, else fp32",
        "BF16, FP16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported() and not USE_CPU, False",
    ]


def _lines(values: dict[str, Any]) -> list[str]:
    return [f"{name} = {value!r}" for name, value in values.items()]


def _left_out(spec: RunSpec, rows: Rows) -> list[LeftOut]:
    found = []
    if spec.task != "causal-lm":
        found.append(
            LeftOut("task", N_("This export trains a causal language model; the task {task} is not in it."),
                    {"task": spec.task}),
        )  # fmt: skip
    if spec.method.name in ("frozen", "progressive", "prompt-tuning"):
        found.append(
            LeftOut("method.name", N_("{tool} has no method {method}; this file trains all weights."),
                    {"tool": "The script", "method": spec.method.name}),
        )  # fmt: skip
    if spec.data.packing:
        found.append(LeftOut("data.packing", N_("The script fills batches up instead of packing examples.")))
    found += [*preparation(spec, "The script"), *of_other_parts(spec, "The script")]
    if spec.evaluation.review_prompts:
        found.append(LeftOut("evaluation.review_prompts", N_("The script prints answers, it scores and keeps none.")))
    if spec.resources.devices > 1:
        found.append(
            LeftOut("resources.devices", N_("Start it on {devices} devices: {command}"),
                    {"devices": spec.resources.devices,
                     "command": f"accelerate launch --num_processes {spec.resources.devices} fine_tune.py"}),
        )  # fmt: skip
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
