"""The catalogue: what it holds, and that what it would run can be run or says why not."""

import re
import subprocess
import sys
from typing import get_args

import pytest

from lab.catalogue import Recipe, audit, recipe, recipes, run_spec, run_values
from lab.catalogue.audit import Status
from lab.catalogue.recipes import parse_recipe
from lab.errors import NotFoundError
from lab.planning import plan
from lab.planning.rates import nearest_published, published_rates
from lab.presets import presets_dir
from lab.spec import RunSpec, check, value_at, with_overrides

RUNNABLE = [entry for entry in recipes() if entry.run]
# Runs as long as the documents say, which see each example 20 times and more: the plan says so, as it should.
REPEATS = {
    "early_stopping", "falcon_instruct", "mambaswelu_124m", "mambaswelu_fast", "mambaswelu_more_data", "mambaswelu_oom",
}  # fmt: skip


def test_the_demo_comes_first_and_all_entries_of_the_documents_follow() -> None:
    assert recipes()[0].id == "demo"
    assert len(recipes()) == 38


def test_a_recipe_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="no recipe called nothing"):
        recipe("nothing")


@pytest.mark.parametrize("entry", recipes(), ids=lambda entry: entry.id)
def test_every_value_has_a_line_or_a_source(entry: Recipe) -> None:
    for described in entry.described.values():
        assert re.match(r"document 00[0-4] L\d+", described.line), described
    for published in entry.published.values():
        assert published.source and (published.value is not None or published.source.startswith("not "))
    for fact in entry.facts.values():
        assert fact.source
    assert entry.run or entry.not_run or entry.kind == "context"


@pytest.mark.parametrize("entry", RUNNABLE, ids=lambda entry: entry.id)
def test_what_a_recipe_would_run_is_a_spec_without_contradictions_and_can_be_planned(entry: Recipe) -> None:
    spec = run_spec(entry)
    check(spec, runnable=True)
    made = plan(spec).as_dict()
    assert made["effective_batch"] >= 1
    # How large a head is depends on the labels of the data.
    assert made["trainable"]["parameters"] or (spec.task == "classification" and spec.method.name == "frozen")
    wrong = [found["field"] for found in made["verdicts"] if found["status"] == "error"]
    assert bool(wrong) == (entry.id in REPEATS) and set(wrong) <= {"schedule.max_steps", "schedule.epochs"}


@pytest.mark.parametrize("entry", RUNNABLE, ids=lambda entry: entry.id)
def test_the_settings_of_a_recipe_are_the_ones_of_its_spec(entry: Recipe) -> None:
    spec = with_overrides(RunSpec(), run_values(entry))
    for path, value in run_values(entry).items():
        assert value_at(spec, path) == value


def test_the_demo_is_small_enough_to_watch() -> None:
    made = plan(run_spec(recipe("demo"))).as_dict()
    assert 60 <= made["steps"] <= 200 and made["effective_batch"] == 16
    assert {found["status"] for found in made["verdicts"]} == {"ok"}


def test_a_recipes_learning_rate_finds_its_neighbours() -> None:
    near = nearest_published("lora", 1_235_814_400)
    assert len(near) == 3 and all(rate.method in ("lora", "qlora") for rate in near)
    assert "alpaca" in {rate.id for rate in published_rates()}
    assert nearest_published("full", 350_000_000)[0].id == "smollm2_360m_full"


def test_the_catalogue_is_light() -> None:
    code = (
        "import sys; from lab.catalogue import audit, recipes;"
        "[audit(entry) for entry in recipes()];"
        "heavy = {'torch', 'transformers', 'peft', 'datasets', 'pandas', 'streamlit'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_the_documentation_is_a_recipe_whose_check_comes_out_as_it_says() -> None:
    text = (presets_dir().parent / "docs" / "adding-a-recipe.md").read_text(encoding="utf-8")
    example = re.findall(r"```yaml\n(.*?)```", text, flags=re.S)
    entry = parse_recipe(example[0])
    (found,) = audit(entry)
    assert found.status == "fails" and f"{found.computed:.2f} epochs" in text
    check(run_spec(entry), runnable=True)
    for name in re.findall(r"^\| .*?`(holds|fails|info|implausible)`", text, flags=re.M):
        assert name in get_args(Status)
