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
from lab.publishing.head import PIPELINES, Head
from lab.publishing.usage import Prompt, usage
from lab.spec import RunSpec

DEMO_DATA = (
    "Questions about the Python standard library, each answered by the first sentence of its documentation "
    "(the lab's demo)"
)


@dataclass(frozen=True)
class Facts:
    """What the card tells; `result`, `summary`, `data`: result.json, review/summary.json, dataset.json.

    `tasks`: those that were learned together, one of which this model is for.
    """

    title: str
    repository: str
    base: Base
    spec: RunSpec
    adapter: bool
    merged: bool = False
    prompt: Prompt | None = None
    head: Head | None = None
    licence: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    tasks: Sequence[str] = ()


def model_card(facts: Facts) -> str:
    """The whole README.md: YAML front matter and Markdown."""
    sections = [
        ("", _opening(facts)),
        ("How to load it", _usage(facts)),
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


def _usage(facts: Facts) -> str:
    length = facts.spec.data.max_length
    return usage(facts.repository, facts.base, facts.prompt, adapter=facts.adapter, head=facts.head, length=length)


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
    about["pipeline_tag"] = PIPELINES[facts.head.task] if facts.head else "text-generation"
    method = ["lora"] if (facts.adapter or facts.merged) and facts.spec.method.adapts else []
    about["tags"] = ["fine-tuning-lab", _kind(facts), *method]
    return yaml.safe_dump(about, sort_keys=False, allow_unicode=True)


def _opening(facts: Facts) -> str:
    base = (
        f"[{facts.base.name}](https://huggingface.co/{facts.base.name})"
        if facts.base.kind == "hub"
        else plain(facts.base.name)
    )
    method = facts.spec.method
    if facts.adapter and not method.adapts:
        what = f"A learned prompt of {method.virtual_tokens} tokens for {base}"
    elif facts.adapter:
        what = f"A LoRA adapter of rank {method.rank} for {base}"
    elif facts.merged:
        what = f"{base} with a LoRA adapter of rank {method.rank} merged into its weights"
    else:
        what = f"{base}, {_TRAINED.get(method.name, 'all weights tuned')}"
    made = _MADE[_kind(facts)]
    return f"{what[0].upper()}{what[1:]}, {made} with the Fine-Tuning Lab.{_gives(facts.head)}{_beside(facts.tasks)}"


_TRAINED = {"frozen": "its last layers tuned", "progressive": "tuned in phases from its last layers down"}
_MADE = {
    "sft": "made by supervised fine-tuning",
    "dpo": "made by direct preference optimisation (DPO)",
    "kto": "made from answers called good or bad (KTO)",
    "reward": "made to score answers, by pairs of a better and a worse one,",
    "classification": "made to give one label to a text",
    "token-classification": "made to give a tag to each word",
    "extractive-qa": "made to find the answer to a question in a passage",
}


def _kind(facts: Facts) -> str:
    if facts.head is not None:
        return facts.head.task
    return facts.spec.preference.method if facts.spec.task == "preference" else "sft"


def _gives(head: Head | None) -> str:
    return f" Labels: {', '.join(plain(label) for label in head.labels)}." if head and head.named else ""


def _beside(tasks: Sequence[str]) -> str:
    return f" Learned together with others on one body: {', '.join(map(plain, tasks))}." if tasks else ""


def _results(facts: Facts) -> str:
    held_out = facts.summary.get("held_out") or {}
    base, tuned = dict(held_out.get("base") or {}), dict(held_out.get("tuned") or {})
    final = facts.result.get("final") or {}
    base.setdefault("loss", final.get("eval_loss_before"))
    tuned.setdefault("loss", final.get("eval_loss"))
    rows = []
    for name, label, form in (
        ("loss", "loss on held-out rows" + ("" if _kind(facts) != "sft" else " (nats per token)"), "{:.3f}"),
        ("perplexity", "perplexity", "{:.2f}"),
        ("stop_rate", "answers that end by themselves", "{:.0%}"),
        ("format_rate", "answers of one sentence in the taught form", "{:.0%}"),
        ("answer_rate", "right answers (ROUGE-L with the reference at least 0.5)", "{:.0%}"),
    ):
        before, after = base.get(name), tuned.get(name)
        if before is not None and after is not None:
            rows.append((label, form.format(before), form.format(after)))
    rows += _scores(base, tuned)
    if not rows:
        return ""
    count = tuned.get("count")
    how = f"On {count} held-out {'rows' if facts.head else 'prompts'}" if count else "On held-out rows"
    decoding = facts.summary.get("decoding")
    told = f", {decoding} decoding, at most {facts.summary.get('max_new_tokens')} new tokens" if decoding else ""
    return f"{how}{told}; none of them was trained on.\n\n" + _table(("", "base", "tuned"), rows)


def _scores(base: Mapping[str, Any], tuned: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The scores of a task with 95 % intervals, as rows of the table; a base without a head was not scored."""
    found = []
    for name, score in (tuned.get("scores") or {}).items():
        before = ((base.get("scores") or {}).get(name) or {}).get("value")
        after = f"{score['value']:.1%}"
        if score.get("low") is not None and score.get("high") is not None:
            after += f" ({score['low']:.1%} to {score['high']:.1%})"
        found.append((name.replace("_", " "), "-" if before is None else f"{before:.1%}", after))
    return found


def _recipe(facts: Facts) -> str:
    spec, result = facts.spec, facts.result
    schedule, method = spec.schedule, spec.method
    rows: list[tuple[str, object]] = [("method", method.name)]
    if method.adapts:
        targets = method.target_modules if isinstance(method.target_modules, str) else ", ".join(method.target_modules)
        rows += [
            ("rank / alpha / dropout", f"{method.rank} / {method.alpha} / {method.dropout:g}"),
            ("target modules", targets),
        ]
    trainable = result.get("trainable") or {}
    if trainable.get("parameters"):
        rows.append(("trained parameters", f"{trainable['parameters']:,} ({trainable.get('share', 0):.2%})"))
    if packing := result.get("packing"):
        rows.append(("packing", f"{packing['packs']:,} packs of {packing['length']} tokens; a batch counts packs"))
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
        ("loss", _loss(facts)),
        ("labels", ", ".join(facts.head.labels) if facts.head and facts.head.named else ""),
        ("prompt template", _template(facts)),
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


def _loss(facts: Facts) -> str:
    if _kind(facts) != "sft":
        return f"that of the task {_kind(facts)}"
    return "on the answer only" if facts.spec.data.completion_only else "on prompt and answer"


def _template(facts: Facts) -> str:
    if facts.head is not None and facts.head.task != "reward":
        return ""  # texts are read as they stand
    return (facts.prompt.template if facts.prompt else "") or facts.spec.data.template


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
    if facts.head is not None:
        return (
            "The model knows nothing but what its rows taught: it answers every text, also one of another kind, "
            "language or time, and has the errors and bias of the base model and of whoever labelled the rows. "
            "The figures above hold for held-out rows of the same data; other data may give others."
        )
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
