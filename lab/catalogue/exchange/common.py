"""What several targets leave out, in the same words."""

from __future__ import annotations

from typing import Any

from lab.catalogue.exchange.parts import LeftOut
from lab.catalogue.exchange.places import Rows, forms
from lab.planning import Plan
from lab.planning.schedule import course_of, transformers_scheduler
from lab.runs.home import is_id
from lab.spec import RunSpec, difference
from lab.spec.parts.schedule import OPTIMIZERS as OPTIMIZERS
from lab.text import N_

# The parts of a spec that the exports write or speak about one by one.
_LOOKED_AT = ("model", "method", "data", "preparation", "schedule", "regularisation", "evaluation", "checkpoints",
              "resources", "engine")  # fmt: skip
# Settings of these parts that are the lab's own, or that no export writes.
_OWN = (
    "model.double_quantization", "model.dropout", "method.rslora", "method.dora", "method.init", "method.adapter",
    "method.trainable_layers", "method.phases", "method.virtual_tokens", "method.prompt", "schedule.layer_decay",
    "regularisation.class_weights", "regularisation.class_values", "regularisation.focal_gamma",
    "regularisation.sampler", "regularisation.ewc_lambda", "regularisation.ewc_data", "regularisation.ewc_rows",
)  # fmt: skip


def title(spec: RunSpec) -> str:
    """The name of a setup on one line; a comment ends with its line."""
    return " ".join(spec.name.split()) or "A fine-tune"


def scheduler(spec: RunSpec, plan: Plan | None) -> tuple[str, dict[str, Any], list[LeftOut]]:
    """The scheduler's name in transformers, its own arguments, and what of it cannot be said."""
    steps = spec.schedule.max_steps or (plan.steps if plan else None)
    course = course_of(spec.schedule, steps or 1000)
    name, options = transformers_scheduler(course, spec.schedule.learning_rate)
    if steps is None and "num_decay_steps" in options:
        return (
            name,
            options,
            [LeftOut("schedule.decay", N_("The number of steps is not known; num_decay_steps is written for 1,000."))],
        )
    return name, options, []


def never_expressed(spec: RunSpec, tool: str) -> list[LeftOut]:
    """What no other tool does: answers while the model learns, the comparison, the lab's own engine."""
    found = [
        LeftOut(
            "evaluation.samples",
            N_("{tool} shows no answers while the model learns and compares none before and after."),
            {"tool": tool},
        ),
        LeftOut("evaluation.max_examples", N_("{tool} reads all held-out rows at each evaluation."), {"tool": tool}),
    ]
    found += [*preparation(spec, tool), *of_other_parts(spec, tool)]
    if spec.data.encoding:
        found.append(LeftOut("data.encoding", N_("{tool} reads UTF-8; store the file so."), {"tool": tool}))
    if spec.task != "causal-lm":
        found.insert(
            0,
            LeftOut("task", N_("This export trains a causal language model; the task {task} is not in it."),
                    {"task": spec.task}),
        )  # fmt: skip
    if spec.method.name in ("frozen", "progressive", "prompt-tuning"):
        found.insert(
            0, LeftOut("method.name", N_("{tool} has no method {method}; this file trains all weights."),
                       {"tool": tool, "method": spec.method.name}),
        )  # fmt: skip
    if spec.resources.threads:
        found.append(
            LeftOut("resources.threads", N_("Set the environment variable OMP_NUM_THREADS to {threads}."),
                    {"threads": spec.resources.threads}),
        )  # fmt: skip
    if spec.engine.name in ("ray", "slurm"):
        found.append(LeftOut("engine.name", N_("How {tool} is started is your choice."), {"tool": tool}))
    return found


def preparation(spec: RunSpec, tool: str) -> list[LeftOut]:
    """What the lab does to the rows before they become examples, where that is not done already."""
    if spec.data.source == "demo" or is_id(spec.data.source):
        return []  # these rows are the outcome
    found = [
        LeftOut(path, N_("{tool} does not do this to the rows: prepare the data here first."), {"tool": tool})
        for path in difference(RunSpec(), spec)
        if path.startswith("preparation.") and path != "preparation.steps"
    ]
    if spec.preparation.steps:
        sentence = N_("{tool} does not clean the rows ({steps}): prepare the data here first.")
        found.insert(
            0, LeftOut("preparation.steps", sentence, {"tool": tool, "steps": ", ".join(spec.preparation.steps)})
        )
    return found


def of_other_parts(spec: RunSpec, tool: str) -> list[LeftOut]:
    """What was changed in a part of the spec, or a setting of one, that no export looks at."""
    return [
        LeftOut(path, N_("{tool} is not told about this: it has no setting of the same meaning."), {"tool": tool})
        for path in difference(RunSpec(), spec)
        if "." in path and (path.partition(".")[0] not in _LOOKED_AT or path in _OWN)
    ]


def devices(spec: RunSpec, command: str) -> list[LeftOut]:
    """The number of devices, which is said where the tool is started."""
    if spec.resources.devices == 1:
        return []
    return [LeftOut("resources.devices", N_("Start it on {devices} devices: {command}"),
                    {"devices": spec.resources.devices, "command": command})]  # fmt: skip


def template_left_out(rows: Rows, tool: str) -> LeftOut:
    """The prompt template that a tool does not apply, with its text, so that the rows can be written in it."""
    if not rows.template:
        return LeftOut(
            "data.template",
            N_("{tool} takes the rows as they are; nobody has looked at them yet. Name the columns (data.columns)."),
            {"tool": tool},
        )
    if rows.template == "chat":
        return LeftOut(
            "data.template",
            N_("The chat template is applied to a column called messages; write the rows so."),
            {},
        )
    shown = [f"{form['prompt']!r} + {form['completion']!r}" for form in forms(rows.template)]
    return LeftOut(
        "data.template",
        N_("{tool} does not apply the template {name}: write the rows as prompt and completion first: {forms}"),
        {"tool": tool, "name": rows.template, "forms": "; or ".join(shown)},
    )


def precision(spec: RunSpec) -> tuple[dict[str, bool], list[LeftOut]]:
    """bf16 and fp16 as the Trainer takes them; `auto` becomes bf16 on a GPU and fp32 on a CPU that was asked for."""
    wanted = spec.resources.precision
    found = []
    if wanted == "auto":
        wanted = "fp32" if spec.resources.device == "cpu" else "bf16"
        found.append(
            LeftOut("resources.precision", N_("auto is written as {precision}; a GPU without bf16 needs fp16."),
                    {"precision": wanted}),
        )  # fmt: skip
    return {"bf16": wanted == "bf16", "fp16": wanted == "fp16"}, found
