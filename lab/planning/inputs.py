"""What a plan is computed from, and for each assumed number where it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lab.models import ModelFacts
from lab.planning.hardware import Hardware, find_hardware
from lab.presets import presets_dir
from lab.spec import RunSpec
from lab.text import N_

# Characters per token of the demo's tokenizer on its own questions, in the question-answer template.
_DEMO_CHARACTERS_PER_TOKEN = 2.73
_DEMO_TEMPLATE_CHARACTERS = len("### Question: \n### Answer: ")


@dataclass(frozen=True)
class PlanInputs:
    """The numbers of one plan: examples, tokens per example (mean and longest), the device, and what was
    assumed.

    `assumptions` maps a name to {"value", "source"}; a measured run replaces them.
    """

    spec: RunSpec
    facts: ModelFacts
    examples: int | None
    mean_tokens: float
    longest_tokens: int
    device: str
    hardware: Hardware | None
    tokens_per_s: float | None
    assumptions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def bf16(self) -> bool:
        """Whether the computation is in bf16; on a CPU `auto` is taken as bf16, which needs the smaller
        memory.
        """
        return self.spec.resources.precision in ("auto", "bf16", "fp16")


def gather(
    spec: RunSpec, facts: ModelFacts, *, examples: int | None = None, mean_tokens: float | None = None,
    longest_tokens: int | None = None, device: str | Hardware | None = None, tokens_per_s: float | None = None,
) -> PlanInputs:  # fmt: skip
    """Complete what the caller knows by the spec, the embedded demo, and named assumptions."""
    assumptions: dict[str, dict[str, Any]] = {}
    if examples is None:
        examples = spec.data.examples
    if spec.data.source == "demo" and examples is None and spec.task != "multi-task":  # which has sources of its own
        examples, demo_mean, demo_longest = demo_data()
        mean_tokens, longest_tokens = mean_tokens or demo_mean, longest_tokens or demo_longest
    if mean_tokens is None:
        mean_tokens = float(longest_tokens or spec.data.max_length)
        assumptions["tokens_per_example"] = {
            "value": mean_tokens,
            "source": N_("the maximum length, so an upper bound: the data set is not known yet"),
        }
    if isinstance(device, Hardware):
        chosen = _device(spec, device.kind)
        found: Hardware | None = device
    else:
        chosen = _device(spec, device)
        found = find_hardware(device or chosen)
    if tokens_per_s is None and found is not None:
        assumptions["throughput"] = {
            "value": found.peak_flops * found.used_share,
            "source": f"{found.name}: {found.source}; {found.used_share:.0%} {found.used_share_source}",
        }
    longest = min(longest_tokens or spec.data.max_length, spec.data.max_length)
    return PlanInputs(
        spec, facts, examples, min(mean_tokens, longest), longest, chosen, found, tokens_per_s, assumptions
    )


@cache
def demo_data() -> tuple[int | None, float | None, int | None]:
    """Training rows of the embedded demo and their mean and longest length in tokens, estimated from
    characters.
    """
    path = presets_dir() / "demo" / "questions.jsonl"
    if not path.is_file():
        return None, None, None
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    lengths = [
        (_DEMO_TEMPLATE_CHARACTERS + len(row["question"]) + len(row["answer"])) / _DEMO_CHARACTERS_PER_TOKEN
        for row in rows
        if row.get("split") == "train"
    ]
    return len(lengths), sum(lengths) / len(lengths), round(max(lengths))


def _device(spec: RunSpec, device: str | None) -> str:
    """cpu or cuda: what the caller says, else what the spec asks for; `auto` without a word about the
    machine: cpu.
    """
    name = (device or spec.resources.device).lower()
    return "cpu" if name in ("auto", "cpu") or name.startswith("cpu") else "cuda"
