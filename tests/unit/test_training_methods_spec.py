"""Contradictions of the methods' settings are found before any work, all at once; the plan counts what is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab import spec as specs
from lab.errors import InputErrors
from lab.models import facts_of
from lab.planning.trained import trained_of
from lab.spec import RunSpec, with_overrides

CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"method.name": "qlora"}, "model.quantization"),
    ({"method.name": "frozen", "model.quantization": "nf4"}, "model.quantization"),
    ({"method.name": "full", "method.dora": True}, "method.dora"),
    ({"method.name": "full", "method.rslora": True}, "method.rslora"),
    ({"method.name": "full", "method.init": "pissa"}, "method.init"),
    ({"method.name": "full", "method.adapter": "somewhere"}, "method.adapter"),
    ({"method.init": "pissa", "method.adapter": "somewhere"}, "method.init"),
    ({"method.name": "qlora", "model.quantization": "nf4", "method.init": "pissa"}, "method.init"),
    ({"method.init": "loftq"}, "method.init"),
    ({"method.dora": True, "method.init": "pissa"}, "method.init"),
    ({"method.name": "progressive", "method.phases": {"some": 1}}, "method.phases"),
    ({"method.name": "progressive", "method.phases": {"0": 0}}, "method.phases"),
    ({"method.name": "prompt-tuning", "task": "classification", "data.source": "x.csv"}, "method.name"),
    ({"method.name": "prompt-tuning", "regularisation.neftune_alpha": 5}, "regularisation.neftune_alpha"),
    ({"regularisation.focal_gamma": 2}, "regularisation.focal_gamma"),
    ({"regularisation.class_weights": "balanced"}, "regularisation.class_weights"),
    ({"regularisation.sampler": "balanced"}, "regularisation.sampler"),
    ({"task": "classification", "regularisation.class_values": {"a": 2}}, "regularisation.class_weights"),
    ({"task": "classification", "regularisation.sampler": "balanced", "regularisation.class_weights": "balanced"},
     "regularisation.class_weights"),
    ({"task": "token-classification", "regularisation.sampler": "balanced"}, "regularisation.sampler"),
    ({"regularisation.ewc_lambda": 10}, "regularisation.ewc_data"),
    ({"regularisation.ewc_data": "old.jsonl"}, "regularisation.ewc_lambda"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "where"), CONFLICTS)
def test_a_contradiction_of_methods_is_found(values: dict[str, Any], where: str) -> None:
    assert where in {problem.where for problem in specs.conflicts(with_overrides(RunSpec(), values))}


def test_all_contradictions_come_at_once() -> None:
    wrong = {"method.name": "full", "method.dora": True, "method.init": "pissa", "regularisation.focal_gamma": 2}
    with pytest.raises(InputErrors) as raised:
        specs.check(with_overrides(RunSpec(), wrong))
    assert {"method.dora", "method.init", "regularisation.focal_gamma"} <= {p.where for p in raised.value.problems}


@pytest.mark.parametrize(
    "values",
    [
        {"method.name": "qlora", "model.quantization": "8bit"},
        {"method.name": "frozen"},
        {"method.name": "progressive"},
        {"method.name": "prompt-tuning", "schedule.learning_rate": 0.3},
        {"schedule.optimizer": "paged-adamw-8bit"},
        {"regularisation.label_smoothing": 0.1, "regularisation.neftune_alpha": 5},
        {"method.rslora": True, "method.dora": True},
        {"method.init": "pissa-fast"},
    ],
)
def test_what_fits_together_may_run(values: dict[str, Any]) -> None:
    specs.check(with_overrides(RunSpec(), values))


@pytest.mark.parametrize(
    ("values", "trained"),
    [
        # Tiny Llama: width 32, feed 64, 2 blocks, key width 16, vocabulary 400 or so, tied or not.
        ({"method.rank": 4}, 4096),
        ({"method.rank": 4, "method.dora": True}, 4608),
        ({"method.name": "prompt-tuning"}, 640),
        ({"method.name": "frozen", "method.trainable_layers": 1}, 9312),
    ],
)
def test_the_plan_counts_what_a_real_run_trained(tiny_llama: Path, values: dict[str, Any], trained: int) -> None:
    from lab.planning.plan import plan

    spec = with_overrides(RunSpec(), {"model.source": str(tiny_llama)} | values)
    facts = facts_of(str(tiny_llama))
    assert trained_of(spec, facts) == trained
    made = plan(spec, facts=facts, examples=10)
    assert made.trained_parameters == trained
    assert made.memory.gradients_gib == pytest.approx(4 * trained / 2**30)


@pytest.mark.parametrize("form", ["trl-yaml", "axolotl", "llamafactory", "script"])
def test_an_export_says_which_methods_it_leaves_out(form: str) -> None:
    from lab.catalogue.exchange import export

    values = {"method.dora": True, "schedule.layer_decay": 0.5, "schedule.optimizer": "lion"}
    spec = with_overrides(RunSpec(), {"model.source": "gpt2", "data.source": "x.jsonl"} | values)
    left_out = {one.path for one in export(spec, form, None).left_out}
    assert {"method.dora", "schedule.layer_decay"} <= left_out
