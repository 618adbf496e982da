"""A finding's answer: applied to the spec, the finding is gone."""

import pytest

from lab import spec as specs
from lab.planning import plan
from lab.planning.suggestions import suggestion
from lab.spec import RunSpec

CASES = {
    "too many steps": {"data.examples": 114000, "schedule.max_steps": 250000},
    "too many epochs": {"data.examples": 114000, "schedule.epochs": 42.0},
    "a batch too large": {"schedule.accumulation": 64},
    "a batch too large for one step": {"schedule.per_device_batch": 512, "schedule.accumulation": 1},
    "a batch too small": {"schedule.per_device_batch": 1, "schedule.accumulation": 1},
    "a rate too high": {"schedule.learning_rate": 0.05},
    "a rate too low": {"schedule.learning_rate": 1e-6},
    "a warmup too long": {"schedule.warmup": 0.5},
    "too much decay": {"schedule.weight_decay": 1.0},
    "no clipping": {"schedule.max_grad_norm": 0.0},
    "longer than the model": {"model.source": "gpt2", "data.max_length": 4096},
    "some layers only": {"method.target_modules": ["q_proj"]},
}


def findings(spec):
    made = plan(spec)
    return made, {verdict.field: verdict for verdict in made.verdicts if verdict.status != "ok"}


@pytest.mark.parametrize("case", CASES)
def test_the_suggestion_answers_the_finding(case):
    spec = specs.with_overrides(RunSpec(), CASES[case])
    made, found = findings(spec)
    field = next(field for field in found if field.split(".")[0] != "resources" and suggestion(found[field], made))
    change = suggestion(found[field], made)
    _, left = findings(specs.with_overrides(spec, change))
    assert field not in left


def test_the_documents_run_is_brought_to_three_epochs():
    numbers = {
        "data.examples": 114000,
        "schedule.per_device_batch": 4,
        "schedule.accumulation": 8,
        "resources.devices": 6,
        "schedule.max_steps": 25000,
    }
    made, found = findings(specs.with_overrides(RunSpec(), numbers))
    assert suggestion(found["schedule.max_steps"], made) == {"schedule.max_steps": 1782}


def test_what_is_usual_needs_no_change():
    made = plan(RunSpec())
    assert all(suggestion(verdict, made) == {} for verdict in made.verdicts if verdict.status == "ok")
