"""The spec as text: what a person writes becomes a RunSpec or a sentence that names the field."""

import pytest

from lab import spec as specs
from lab.errors import InputError, InputErrors
from lab.spec import RunSpec
from lab.spec.rules import later


def test_a_spec_survives_both_forms_of_yaml():
    spec = specs.with_overrides(RunSpec(), {"schedule.learning_rate": 2e-5, "data.columns": {"prompt": "q"}})
    assert specs.loads(specs.dump(spec)) == spec
    assert specs.loads(specs.dump_commented(spec)) == spec


def test_commented_yaml_explains_every_setting():
    text = specs.dump_commented(RunSpec())
    for setting in specs.settings():
        assert setting.help in text


@pytest.mark.parametrize(
    ("pair", "path", "value"),
    [
        ("schedule.learning_rate=2e-4", "schedule.learning_rate", 2e-4),
        ("schedule.max_steps=60", "schedule.max_steps", 60),
        ("schedule.max_steps=", "schedule.max_steps", None),
        ("method.target_modules=q_proj,v_proj", "method.target_modules", ["q_proj", "v_proj"]),
        ('method.target_modules=["q_proj", "v_proj"]', "method.target_modules", ["q_proj", "v_proj"]),
        ("method.target_modules=all-linear", "method.target_modules", "all-linear"),
        (
            "data.columns=prompt:question,completion:answer",
            "data.columns",
            {"prompt": "question", "completion": "answer"},
        ),
        ("data.completion_only=false", "data.completion_only", False),
        ("name=a=b", "name", "a=b"),
    ],
)
def test_an_override_is_read_as_its_setting_means_it(pair, path, value):
    spec = specs.with_overrides(RunSpec(), specs.read_overrides([pair]))
    assert specs.value_at(spec, path) == value


@pytest.mark.parametrize(
    ("pair", "where", "words"),
    [
        ("schedule.per_device_batch=0", "schedule.per_device_batch", "from 1 to 65,536"),
        ("schedule.learning_rate=10", "schedule.learning_rate", "above 0 to 1"),
        ("schedule.learning_rate=nan", "schedule.learning_rate", "above 0 to 1"),
        ("method.name=magic", "method.name", "full, lora"),
        ("schedule.learning_rat=1", "schedule.learning_rat", "schedule.learning_rate"),
        ("seed", "--set", "name=value"),
    ],
)
def test_a_wrong_override_names_the_field_and_the_way_out(pair, where, words):
    with pytest.raises(InputError) as caught:
        specs.with_overrides(RunSpec(), specs.read_overrides([pair]))
    assert caught.value.where == where
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_wrong_value_is_reported_at_once():
    with pytest.raises(InputErrors) as caught:
        specs.build({"schedule": {"per_device_batch": 0, "epochs": -1}, "seed": "x", "nonsense": 1})
    assert {problem.where for problem in caught.value.problems} == {
        "schedule.per_device_batch",
        "schedule.epochs",
        "seed",
        "nonsense",
    }


def test_broken_yaml_names_the_line():
    with pytest.raises(InputError, match="Line 3"):
        specs.loads("seed: 1\nname: x\n  broken: [1\n")


def test_yaml_cannot_make_objects():
    with pytest.raises(InputError):
        specs.loads("name: !!python/object/apply:os.system ['true']\n")


def test_difference_lists_only_what_differs():
    first = RunSpec()
    second = specs.with_overrides(first, {"method.rank": 8})
    assert specs.difference(first, second) == {"method.rank": (16, 8)}


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"schedule.warmup": 1.5}, "schedule.warmup"),
        ({"schedule.warmup": 100, "schedule.max_steps": 60}, "schedule.warmup"),
        ({"schedule.learning_rate": 0.5}, "schedule.learning_rate"),
        ({"method.name": "full", "model.quantization": "nf4"}, "model.quantization"),
        ({"method.name": "qlora"}, "model.quantization"),
    ],
)
def test_a_conflict_between_settings_is_found_before_any_work(values, where):
    conflicts = specs.conflicts(specs.with_overrides(RunSpec(), values))
    assert where in {conflict.where for conflict in conflicts}


@pytest.mark.parametrize(
    ("values", "today"),
    [
        ({"engine.name": "slurm"}, "local"),
        ({"resources.devices": 2}, "1"),
        ({"resources.precision": "fp16"}, "auto, bf16, fp32"),
    ],
)
def test_what_does_not_run_yet_is_refused_with_what_does(values, today):
    spec = specs.with_overrides(RunSpec(), values)
    with pytest.raises(InputErrors, match="does not run") as caught:
        specs.check(spec)
    (refused,) = [problem for problem in caught.value.problems if "does not run" in str(problem)]
    assert refused.where in values
    assert f"Allowed today: {today}." in str(refused)
    specs.check(spec, runnable=False)


@pytest.mark.parametrize("path", later.RUNS_TODAY)
def test_the_list_of_what_runs_leaves_out_values_of_the_setting_and_these_are_refused(path):
    setting, runs = specs.setting_at(path), later.RUNS_TODAY[path]
    assert setting.default in runs
    if setting.kind == "choice":
        others = set(setting.choices) - set(runs)
        assert set(runs) < set(setting.choices)
    else:
        others = {False, True} - set(runs) if setting.kind == "boolean" else {max(runs) + 1}
    assert others
    for value in others:
        refused = later.not_yet(specs.with_overrides(RunSpec(), {path: value}))
        assert [problem.where for problem in refused] == [path]


def test_the_defaults_can_run():
    specs.check(RunSpec())


def test_every_setting_tells_what_a_person_needs():
    for setting in specs.settings():
        assert setting.label, setting.path
        assert setting.help.endswith("."), setting.path
        assert setting.level in ("basic", "expert")
        assert setting.allowed
