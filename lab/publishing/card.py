"""The model card: what the model is, how to load it, how it was made, what was measured, and its limits.

It holds counts and figures of the data, never a row of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from lab.publishing.base import Base
from lab.publishing.usage import Prompt, usage
from lab.spec import RunSpec

DEMO_DATA = (
    "Questions about the Python standard library, each answered by the first sentence of its documentation "
    "(the lab's demo)"
)


@dataclass(frozen=True)
class Facts:
    """What the card tells; `result`, `summary`, `data`: result.json, review/summary.json, dataset.json."""

    title: str
    repository: str
    base: Base
    spec: RunSpec
    adapter: bool
    merged: bool = False
    prompt: Prompt | None = None
    licence: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


def model_card(facts: Facts) -> str:
    """The whole README.md: YAML front matter and Markdown."""
    sections = [
        ("", _opening(facts)),
        ("How to load it", usage(facts.repository, facts.base, facts.prompt, adapter=facts.adapter)),
        ("Results", _results(facts)),
        ("How it was made", _recipe(facts)),
        ("Data", _data(facts)),
        ("Limits", _limits(facts)),
        ("Versions", _versions(facts)),
        ("Licence", _licence(facts)),
    ]
    body = [f"# {plain(facts.title)}"]
    for heading, text in sections:
        if text:
            body += [f"## {heading}", text] if heading else [text]
    return f"---\n{_front_matter(facts)}---\n\n" + "\n\n".join(body) + "\n"


def plain(value: object) -> str:
    """A value for a line or table cell of Markdown: one line, nothing that is markup."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*_\[\]<>|#!~])", r"\\\1", text)


def _front_matter(facts: Facts) -> str:
    about: dict[str, Any] = {"library_name": "peft" if facts.adapter else "transformers"}
    if facts.base.kind == "hub":
        about["base_model"] = facts.base.reference
        about["base_model_relation"] = "adapter" if facts.adapter else "merge" if facts.merged else "finetune"
    if facts.licence:
        about["license"] = facts.licence
    if facts.data.get("hub"):
        about["datasets"] = [facts.data["hub"]]
    about["pipeline_tag"] = "text-generation"
    method = ["lora"] if facts.adapter or facts.merged else []
    about["tags"] = ["fine-tuning-lab", "sft", *method]
    return yaml.safe_dump(about, sort_keys=False, allow_unicode=True)


def _opening(facts: Facts) -> str:
    base = (
        f"[{facts.base.name}](https://huggingface.co/{facts.base.name})"
        if facts.base.kind == "hub"
        else plain(facts.base.name)
    )
    if facts.adapter:
        what = f"A LoRA adapter of rank {facts.spec.method.rank} for {base}"
    elif facts.merged:
        what = f"{base} with a LoRA adapter of rank {facts.spec.method.rank} merged into its weights"
    else:
        what = f"{base}, all weights tuned"
    return f"{what[0].upper()}{what[1:]}, made by supervised fine-tuning with the Fine-Tuning Lab."


def _results(facts: Facts) -> str:
    held_out = facts.summary.get("held_out") or {}
    base, tuned = dict(held_out.get("base") or {}), dict(held_out.get("tuned") or {})
    final = facts.result.get("final") or {}
    base.setdefault("loss", final.get("eval_loss_before"))
    tuned.setdefault("loss", final.get("eval_loss"))
    rows = []
    for name, label, form in (
        ("loss", "loss on held-out rows (nats per token)", "{:.3f}"),
        ("perplexity", "perplexity", "{:.2f}"),
        ("stop_rate", "answers that end by themselves", "{:.0%}"),
        ("format_rate", "answers of one sentence in the taught form", "{:.0%}"),
        ("answer_rate", "right answers (ROUGE-L with the reference at least 0.5)", "{:.0%}"),
    ):
        before, after = base.get(name), tuned.get(name)
        if before is not None and after is not None:
            rows.append((label, form.format(before), form.format(after)))
    if not rows:
        return ""
    count = tuned.get("count")
    how = f"On {count} held-out prompts" if count else "On held-out rows"
    decoding = facts.summary.get("decoding")
    told = f", {decoding} decoding, at most {facts.summary.get('max_new_tokens')} new tokens" if decoding else ""
    return f"{how}{told}; none of them was trained on.\n\n" + _table(("", "base", "tuned"), rows)


def _recipe(facts: Facts) -> str:
    spec, result = facts.spec, facts.result
    schedule, method = spec.schedule, spec.method
    rows: list[tuple[str, object]] = [("method", method.name)]
    if facts.adapter or facts.merged:
        targets = method.target_modules if isinstance(method.target_modules, str) else ", ".join(method.target_modules)
        rows += [
            ("rank / alpha / dropout", f"{method.rank} / {method.alpha} / {method.dropout:g}"),
            ("target modules", targets),
        ]
    trainable = result.get("trainable") or {}
    if trainable.get("parameters"):
        rows.append(("trained parameters", f"{trainable['parameters']:,} ({trainable.get('share', 0):.2%})"))
    effective = facts.plan.get("effective_batch") or schedule.per_device_batch * schedule.accumulation
    rows += [
        ("optimizer steps", result.get("step") or facts.plan.get("steps") or schedule.max_steps),
        (
            "effective batch size",
            f"{effective} ({schedule.per_device_batch} x {schedule.accumulation} accumulated)",
        ),
        ("learning rate", f"{schedule.learning_rate:g}, {schedule.scheduler}, warmup {schedule.warmup:g}"),
        (
            "optimizer",
            f"{schedule.optimizer}, weight decay {schedule.weight_decay:g}, clipping {schedule.max_grad_norm:g}",
        ),
        ("maximum length", f"{spec.data.max_length} tokens"),
        ("loss", "on the answer only" if spec.data.completion_only else "on prompt and answer"),
        ("prompt template", (facts.prompt.template if facts.prompt else "") or spec.data.template),
        ("precision", result.get("precision") or spec.resources.precision),
        ("device", result.get("device")),
        ("seed", spec.seed),
        ("recipe", spec.recipe),
    ]
    told = [(name, plain(value)) for name, value in rows if value not in (None, "")]
    return (
        _table(("setting", "value"), told)
        + "\n\nAll settings are in `spec.yaml`: `python -m lab train --spec spec.yaml`."
    )


def _data(facts: Facts) -> str:
    data, rows = facts.data, facts.data.get("rows") or {}
    if data.get("hub"):
        what = f"[{data['hub']}](https://huggingface.co/datasets/{data['hub']})"
    elif facts.spec.data.source == "demo":
        what = DEMO_DATA
    else:
        what = f"The data set {plain(data.get('name') or 'of its owner')}, which is not part of this repository"
    lines = [what + "."]
    table = [
        ("kind", data.get("kind")),
        ("rows read", rows.get("read")),
        ("rows trained on", rows.get("train")),
        ("rows held out", rows.get("validation")),
        ("rows set aside for a test", rows.get("test")),
        (
            "left out",
            ", ".join(f"{name} {count}" for name, count in (data.get("dropped") or {}).items() if count),
        ),
        ("fingerprint", data.get("fingerprint")),
    ]
    told = [(name, plain(value)) for name, value in table if value not in (None, "", 0)]
    return "\n\n".join(lines + ([_table(("", ""), told)] if told else []))


def _limits(facts: Facts) -> str:
    prompt = " Prompts in another form than the one above were not seen in the tuning." if facts.prompt else ""
    return (
        "Fine-tuning teaches a form and a subject; it does not check facts. The model states wrong things in "
        f"the same tone as right ones, and has the errors and bias of the base model.{prompt} The figures "
        "above hold for held-out rows of the same data; other data may give others."
    )


def _versions(facts: Facts) -> str:
    versions = facts.result.get("versions") or {}
    return ", ".join(f"{plain(name)} {plain(version)}" for name, version in versions.items())


def _licence(facts: Facts) -> str:
    if facts.licence:
        return f"{plain(facts.licence)}. The licence of the base model holds as well."
    return (
        "Not stated yet: the owner of this repository decides. "
        "The licences of the base model and of the data hold as well."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
