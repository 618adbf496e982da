"""A finding's answer: applied to the spec, the finding is gone."""

import pytest

from lab import spec as specs
from lab.planning import plan
from lab.planning.suggestions import suggestion
from lab.planning.verdicts import too_long
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


HEAVY = {"model.source": "llama-3.1-8b", "data.max_length": 512, "data.examples": 20_000}
FULL = {"method.name": "full", "schedule.learning_rate": 2e-5}
# what is asked for, the device, and the settings that the suggestion changes
TOO_LARGE = [
    ({"schedule.per_device_batch": 2, "data.max_length": 2048}, "rtx4090", {"resources.gradient_checkpointing"}),
    (
        {"schedule.per_device_batch": 64, "resources.gradient_checkpointing": True, "data.max_length": 2048},
        "rtx4090",
        {"schedule.per_device_batch", "schedule.accumulation"},
    ),
    (FULL | {"schedule.per_device_batch": 1}, "rtx4090", {"method.name"}),
    (FULL | {"schedule.per_device_batch": 1}, "rtx3080", set()),
]


@pytest.mark.parametrize(("asked", "device", "changed"), TOO_LARGE)
def test_a_run_that_does_not_fit_is_made_to_fit_in_one_step_or_told_that_nothing_helps(asked, device, changed):
    spec = specs.with_overrides(RunSpec(), HEAVY | asked)
    made = plan(spec, device=device)
    finding = next(verdict for verdict in made.verdicts if verdict.field == "resources.device")
    change = suggestion(finding, made)
    assert set(change) == changed
    assert ("smaller model" in finding.why) == (not changed)
    if changed:
        after = plan(specs.with_overrides(spec, change), device=device)
        assert not [verdict for verdict in after.verdicts if verdict.field == "resources.device"]
        assert after.effective_batch == made.effective_batch


def test_a_run_of_months_is_said_to_be_one():
    spec = specs.with_overrides(RunSpec(), HEAVY | {"data.examples": 2_000_000})
    found = [verdict.why for verdict in too_long(plan(spec, device="cpu"))]
    assert len(found) == 1 and "days" in found[0]
    assert not list(too_long(plan(RunSpec(), device="cpu")))


def test_the_labs_own_defaults_are_not_scolded():
    found = {verdict.field: verdict for verdict in plan(RunSpec()).verdicts}
    assert {verdict.status for verdict in found.values()} <= {"ok", "info"}
    assert found["schedule.learning_rate"].status == "info"
