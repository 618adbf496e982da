"""What a plan counts on where a model learns from preferences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.models import facts_of
from lab.planning.footprint import Load, footprint, load_of
from lab.spec import RunSpec, with_overrides

PREFERENCE = {"task": "preference", "data.source": "pairs.jsonl"}


def load(**changes: Any) -> Load:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return load_of(with_overrides(RunSpec(), PREFERENCE | named), length=128, device="cuda", bf16=True)


def test_a_pair_takes_twice_the_tokens_of_an_example() -> None:
    plain = load_of(RunSpec(), length=128, device="cuda", bf16=True)
    assert (plain.tokens, load().tokens, load(preference__method="kto").tokens) == (512, 1024, 512)
    facts = facts_of("demo")
    pairs, doubled = footprint(facts, load()), footprint(facts, replace(plain, batch=8))
    assert pairs.activations_gib == pytest.approx(doubled.activations_gib)


@pytest.mark.parametrize(
    ("changes", "copies"),
    [
        ({"method__name": "full", "speed__reference_once": False}, 2),
        ({"method__name": "full", "schedule__max_steps": 5, "data__examples": 1000}, 2),
        ({"method__name": "full", "schedule__max_steps": 500, "data__examples": 1000}, 1),
        ({"method__name": "full"}, 1),
        ({"method__name": "full", "preference__method": "kto"}, 2),
        ({"method__name": "full", "preference__method": "reward"}, 1),
        ({"method__name": "lora"}, 1),
    ],
)
def test_a_whole_model_has_a_frozen_copy_beside_it_unless_it_is_asked_before(
    changes: dict[str, Any], copies: int
) -> None:
    facts = facts_of("demo")
    found = load(**changes)
    weights = footprint(facts, found).weights_gib
    assert weights == pytest.approx(copies * footprint(facts, replace(found, reference=False)).weights_gib)
