"""What a plan is computed from, and for each assumed number where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lab.models import ModelFacts
from lab.planning.hardware import Hardware, find_hardware
from lab.planning.lengths import fitted
from lab.planning.packing import pack, packs_needed
from lab.planning.windows import windows_of_lengths
from lab.presets import presets_dir
from lab.spec import RunSpec
from lab.text import N_

# Characters per token of the demo's tokenizer on its own questions, in the question-answer template.
_DEMO_CHARACTERS_PER_TOKEN = 2.73
_DEMO_TEMPLATE_CHARACTERS = len("### Question: \n### Answer: ")


@dataclass(frozen=True)
class PlanInputs:
    """The numbers of one plan: examples, tokens per example (mean and longest), the device, and what was
    assumed. `packs`: sequences of the maximum length that the examples fill where the run packs them, None where it
    does not or their number is not known; `counted_packs` is what the caller counted from the lengths. `windows`: the
    examples, where these are windows of `rows` passages. The `spec` is as its run takes it (`lab.planning.lengths`);
    `asked_length` is its maximum length before that.

    `assumptions` maps a name to {"value", "source"}, where a source of several parts also stands as template and
    values; a measured run replaces them.
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
    packs: int | None = None
    counted_packs: int | None = None
    windows: int | None = None
    rows: int | None = None
    asked_length: int = 0

    @property
    def items(self) -> int | None:
        """How many of what a batch counts there are: examples, or packs of them; None: not known."""
        return self.packs if self.spec.data.packing else self.examples

    @property
    def examples_per_item(self) -> float:
        """Examples of a pack; 1 without packing, and where nothing is known."""
        return self.examples / self.packs if self.examples and self.packs else 1.0

    @property
    def tokens_per_item(self) -> float:
        """Mean tokens of an example or a pack; a pack of which nothing is known is taken as full."""
        if not self.spec.data.packing:
            return self.mean_tokens
        if self.packs is None:
            return self.longest_tokens
        return min(self.spec.data.max_length, self.mean_tokens * self.examples_per_item)

    @property
    def bf16(self) -> bool:
        """Whether the computation is in bf16; on a CPU `auto` is taken as bf16, which needs the smaller
        memory.
        """
        return self.spec.resources.precision in ("auto", "bf16", "fp16")


def gather(
    spec: RunSpec, facts: ModelFacts, *, examples: int | None = None, mean_tokens: float | None = None,
    longest_tokens: int | None = None, device: str | Hardware | None = None, tokens_per_s: float | None = None,
    packs: int | None = None, windows: int | Mapping[str, Any] | None = None,
) -> PlanInputs:  # fmt: skip
    """Complete what the caller knows by the spec, the embedded demo, and named assumptions."""
    assumptions: dict[str, dict[str, Any]] = {}
    asked, spec = spec.data.max_length, fitted(spec, facts)
    packs = packs if asked == spec.data.max_length else None  # counted for another length
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
            "source": f"{found.name}: {found.source}; {found.used_share:.0%} {found.used_share_source}"
            + (f"; {found.pass_source}" if found.pass_source else ""),
            "template": N_("{device}: {speed}; {share} {why}"),  # the same in parts, to be put together in a language
            "values": {
                "device": found.name, "speed": found.source, "share": found.used_share, "why": found.used_share_source,
            },
        }  # fmt: skip
    longest = min(longest_tokens or spec.data.max_length, spec.data.max_length)
    mean = min(mean_tokens, longest)
    filled = None
    if spec.data.packing:
        filled = _packs(spec, examples, mean, packs, assumptions)
        longest = spec.data.max_length  # a row of the device is a pack
    if isinstance(windows, Mapping):
        windows = windows_of_lengths(windows, spec.data.max_length, spec.tasks.stride)
    return PlanInputs(
        spec, facts, examples if windows is None else windows, mean, longest, chosen, found, tokens_per_s, assumptions,
        filled, packs, windows, examples, asked,
    )  # fmt: skip


def _packs(
    spec: RunSpec, examples: int | None, mean: float, counted: int | None, assumptions: dict[str, dict[str, Any]]
) -> int | None:
    """The packs of the training examples: as counted, else estimated, with a word on how."""
    if counted is not None or examples is None:
        return counted
    length = spec.data.max_length
    demo = demo_lengths() if spec.data.source == "demo" else ()
    if examples == len(demo):
        found, source = len(pack(demo, length)), N_("packed with lengths that are estimated from characters")
    else:
        found = packs_needed(examples * mean, 0, length)
        source = N_("tokens / maximum length, so a lower bound: the single lengths are not known yet")
        if "tokens_per_example" in assumptions:
            source = N_("one for each example, so an upper bound: the lengths are not known yet")
    assumptions["packs"] = {"value": found, "source": source}
    return found


def demo_data() -> tuple[int | None, float | None, int | None]:
    """Training rows of the embedded demo and their mean and longest length in tokens, estimated from
    characters.
    """
    lengths = demo_lengths()
    return (len(lengths), sum(lengths) / len(lengths), max(lengths)) if lengths else (None, None, None)


@cache
def demo_lengths() -> tuple[int, ...]:
    """The lengths of the demo's training rows in tokens, estimated from characters; none without the demo."""
    path = presets_dir() / "demo" / "questions.jsonl"
    if not path.is_file():
        return ()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return tuple(
        round((_DEMO_TEMPLATE_CHARACTERS + len(row["question"]) + len(row["answer"])) / _DEMO_CHARACTERS_PER_TOKEN)
        for row in rows
        if row.get("split") == "train"
    )


def _device(spec: RunSpec, device: str | None) -> str:
    """cpu or cuda: what the caller says, else what the spec asks for; `auto` without a word about the
    machine: cpu.
    """
    name = (device or spec.resources.device).lower()
    return "cpu" if name in ("auto", "cpu") or name.startswith("cpu") else "cuda"
