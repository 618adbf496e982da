"""What of the spec's `speed` a task other than a language model's uses, and updates cut into passes of like lengths.

An update is what one optimizer step learns from. Plain, it is `accumulation` batches of `per_device_batch` examples in
the order in which they were drawn, each as wide as its longest. Grouped, the same examples go through the model in
passes of like lengths, with the weights that they had in their batches: less padding, and the same gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from typing import Any

from transformers import PreTrainedModel

from lab.spec import RunSpec
from lab.training import attention
from lab.training.choices import Choices, choose
from lab.training.machine import Machine

NOT_HERE = "not for this task"
# What one more pass costs, in padded tokens that could have gone through in its time. CPU: BERT of 1 to 5 million
# weights on SST-2, where 128 to 256 were the fastest; GPU: some 10 ms of launches.
PASS = {"cpu": 256, "cuda": 4096}
SPELT_OUT = "eager"  # transformers' attention as matrix products
# Tokens of a row up to which these are faster than torch's fused kernel on a CPU. Measured: four models of up to 5
# million weights, forward and backward; 1.1 to 5 times as fast at 48 tokens, as fast at 400.
SHORT = 256


def task_choices(spec: RunSpec, machine: Machine, used: Iterable[str]) -> Choices:
    """The choices of a run whose task can make use of `used` alone; what it cannot is off, and told so."""
    choices, used = choose(spec, machine), set(used)
    for field in fields(Choices):
        if field.name not in used and getattr(choices, field.name) is True:
            setattr(choices, field.name, False)
            choices.why[field.name] = NOT_HERE
    if choices.padding_free != "off":
        grouped = "padding_free" in used
        choices.why["padding_free"] = "passes of like lengths, padded to the longest" if grouped else NOT_HERE
        choices.budget = choices.budget if grouped else 0
    return choices


def attention_for(model: PreTrainedModel, choices: Choices, device: str) -> str:
    """What a padded training attends with: the model's own, on a CPU matrix products in short rows (`attends`)."""
    own = str(model.config._attn_implementation)
    if choices.padding_free == "off" or device != "cpu" or own != "sdpa":
        return own
    choices.why["attention"] = f"{SPELT_OUT} in place of {own} in rows of up to {SHORT} tokens"
    return SPELT_OUT


@contextmanager
def attends(models: Iterable[PreTrainedModel | None], name: str, width: int) -> Iterator[None]:
    """Let models attend with `name` in a pass of this width; what is for short rows gives way in longer ones."""
    with ExitStack() as stack:
        for model in models:
            if model is not None and (name != SPELT_OUT or width <= SHORT):
                stack.enter_context(attention.using(model, name))
        yield


def like_lengths(lengths: Sequence[int], budget: int, pass_cost: int) -> list[list[int]]:
    """Numbers of examples that go through together, padded to the longest of them.

    The sorted lengths are cut where tokens with padding, plus `pass_cost` for each pass, are fewest. No pass has more
    than `budget` tokens; a longer example is a pass of its own. O(n x examples of a pass).
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    costs, starts = [0.0], [0]  # of the first n examples: the fewest tokens, and where their last pass begins
    for end in range(1, len(order) + 1):
        width, best, at = lengths[order[end - 1]], float("inf"), end - 1
        for start in range(end - 1, -1, -1):
            tokens = (end - start) * width
            if tokens > budget and start < end - 1:
                break
            if costs[start] + tokens < best:
                best, at = costs[start] + tokens, start
        costs.append(best + pass_cost)
        starts.append(at)
    found, end = [], len(order)
    while end:
        found.append(sorted(order[starts[end] : end]))
        end = starts[end]
    return found[::-1]


def padded(lengths: Sequence[int], groups: Iterable[Sequence[int]]) -> int:
    """Tokens of these passes with their padding."""
    return sum(len(group) * max(lengths[i] for i in group) for group in groups)


def chunks(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """The batches that a plain Trainer would make of the rows of an update."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]
