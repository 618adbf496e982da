"""What a plan counts on where a model learns from preferences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.models import facts_of
from lab.planning import plan
from lab.planning.advice import rate_advice
from lab.planning.footprint import Load, footprint, load_of
from lab.planning.suggestions import suggestion
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


# --- learning rate ---


def trl_default(preference: str) -> float:
    import trl

    config = {"dpo": trl.DPOConfig, "kto": trl.KTOConfig, "reward": trl.RewardConfig}[preference]
    return float(config.__dataclass_fields__["learning_rate"].default)


@pytest.mark.parametrize("preference", ["dpo", "kto", "reward"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_usual_rates_hold_trls_own_and_lora_starts_higher(preference: str, method: str) -> None:
    usual = plan(
        with_overrides(RunSpec(), PREFERENCE | {"method.name": method, "preference.method": preference})
    ).learning_rate_range
    assert usual is not None and usual.source
    assert usual.low <= usual.default <= usual.high and usual.low <= trl_default(preference) <= usual.high
    whole = plan(with_overrides(RunSpec(), PREFERENCE | {"method.name": "full", "preference.method": preference}))
    assert whole.learning_rate_range is not None
    assert (usual.default > whole.learning_rate_range.default) == (method == "lora")


@pytest.mark.parametrize("preference", ["dpo", "kto"])
def test_a_rate_of_a_first_fine_tuning_is_too_high_for_preferences(preference: str) -> None:
    spec = with_overrides(RunSpec(), PREFERENCE | {"preference.method": preference, "schedule.learning_rate": 1e-3})
    made = plan(spec)
    (found,) = [verdict for verdict in made.verdicts if verdict.field == "schedule.learning_rate"]
    assert found.status == "high" and "held-out loss rises" in found.why
    assert suggestion(found, made) == {"schedule.learning_rate": 5e-6}
    lower = plan(with_overrides(spec, suggestion(found, made)))
    assert [verdict.status for verdict in lower.verdicts if verdict.field == "schedule.learning_rate"] == ["ok"]
    advice = rate_advice(made)
    assert advice.nearest == [] and (advice.rule or 0) < 1e-4  # neither speaks of another task
