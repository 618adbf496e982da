"""The recipes are read strictly, and every check comes out as an independent calculation has it."""

from typing import Any

import pytest

from lab.catalogue import audit, recipe, recipes, run_spec
from lab.catalogue.audit import agrees
from lab.catalogue.recipes import comparators, parse_recipe
from lab.errors import InputError

# Status and figure of each check, in the order of the file, calculated by hand beside the documents. None:
# there is no figure; "text": a statement.
ANSWERS: dict[str, list[tuple[str, Any]]] = {
    "llama2_chat": [
        ("implausible", 19.2), ("fails", 861), ("fails", 0.002), ("fails", 30.0), ("info", 4.8),
        ("info", 12800), ("implausible", [4915, 164]),
    ],
    "alpaca": [
        ("fails", 1219), ("fails", 7.38), ("holds", 0.0333), ("info", 1.0), ("info", 8.86), ("info", 15.0),
    ],
    "vicuna": [
        ("fails", 1641), ("implausible", 21.9), ("fails", 4234), ("holds", 360), ("info", 3.0),
    ],
    "dolly_v2": [
        ("fails", 4.26), ("fails", 617), ("holds", 0.025), ("info", 1.0), ("fails", 32),
    ],
    "falcon_instruct": [
        ("implausible", 34.1), ("implausible", 41.9), ("holds", 0.025), ("info", 1152),
    ],
    "mambaswelu_124m": [
        ("fails", 42.1), ("fails", 130625), ("info", 4800000), ("holds", 192), ("holds", 0.04),
        ("holds", 60.0), ("holds", 43.06), ("holds", -0.3827), ("fails", 192), ("implausible", 0.0239),
        ("fails", [3.17, 144, 160, 640]), ("fails", [1.54, 6.99, 4.71]), ("info", 593.75),
    ],
    "mambaswelu_fast": [
        ("holds", 25.8), ("holds", 17.2), ("info", 25.3), ("fails", None),
    ],
    "mambaswelu_more_data": [
        ("holds", 214000), ("holds", 60.3), ("info", 31.4),
    ],
    "mambaswelu_oom": [
        ("holds", 192),
    ],
    "setup1_fast_cheap": [
        ("info", [1.28, 19.2]), ("fails", [0.0333, 0.1]), ("fails", [128, 32]),
    ],
    "setup2_standard": [
        ("implausible", [8.5, 102.4]), ("holds", [0.025, 0.05]),
    ],
    "setup3_high_quality": [
        ("implausible", [12.8, 102.4]), ("holds", [0.01, 0.04]),
    ],
    "setup4_peft_lora": [
        ("holds", [2.0, 2.0]), ("info", [1.54, 6.15]), ("fails", 0.0001),
    ],
    "objective_a_speed": [
        ("fails", 609), ("fails", 14.8),
    ],
    "objective_b_quality": [
        ("holds", 237000), ("implausible", [54.0, 216.2]),
    ],
    "objective_c_lora": [
        ("holds", [2.0, 2.0]), ("info", [3.08, 6.15]), ("fails", "text"),
    ],
    "objective_d_domain": [
        ("holds", 25000), ("info", [2.88, 4.32]), ("info", 2.5),
    ],
    "alpaca_lora": [
        ("info", 1166), ("info", 0.0857),
    ],
    "qlora_guanaco": [
        ("info", 3.05), ("info", 0.25), ("fails", 0),
    ],
    "tldr_lora": [
        ("fails", "text"),
    ],
    "gpt2_large_qa_qlora": [
        ("holds", 12450), ("holds", 13.508), ("holds", "2:02:53"), ("fails", 0.183), ("info", 200.9),
        ("holds", 0.2), ("info", [6635520, 0.00857]), ("fails", 50), ("info", 1024), ("info", 373.5),
    ],
    "llama32_1b_qa_qlora": [
        ("holds", 9960), ("holds", 8.776), ("holds", 1235814400), ("fails", 534000000), ("fails", 298.8),
        ("fails", "text"), ("info", 151.0), ("info", [3407872, 0.00276]), ("info", None),
    ],
    "full_finetuning": [
        ("fails", [112, 126]),
    ],
    "frozen_backbone": [
        ("info", 1538),
    ],
    "progressive_unfreezing": [
        ("holds", 5), ("fails", "text"),
    ],
    "bert_sentiment": [
        ("info", 10000), ("holds", 1.935), ("info", [1875, 187.5]), ("fails", [500, 1000, 1500]),
        ("fails", [0.72, 0.08, 0.2]),
    ],
    "gpt2_instruction": [
        ("holds", 16), ("fails", "text"), ("fails", 0.0), ("fails", 0.31),
    ],
    "bert_imdb": [
        ("info", [625, 1875]), ("fails", None), ("fails", None), ("fails", None),
    ],
    "multitask_bert": [
        ("info", 10766),
    ],
    "lr_finder": [
        ("info", 1.20226), ("fails", 2.53), ("fails", 5e-05), ("fails", [0.04, 0.4, 0.91]),
    ],
    "early_stopping": [
        ("fails", "text"),
    ],
    "forgetting_mix": [
        ("holds", 0.2),
    ],
    "bert_squad_anecdote": [
        ("fails", "text"), ("fails", "text"),
    ],
    "guide_minimal": [
        ("info", 13334), ("fails", "text"),
    ],
    "other_peft": [
        ("info", [0.00276, 0.00857, 0.00912]),
    ],
}  # fmt: skip


def test_the_table_covers_every_check_of_the_documents() -> None:
    assert sum(len(rows) for rows in ANSWERS.values()) == 122
    assert {entry.id for entry in recipes() if entry.checks} == set(ANSWERS)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_checks_of_a_recipe_come_out_as_calculated_by_hand(name: str) -> None:
    checks = audit(recipe(name))
    assert [check.status for check in checks] == [status for status, _ in ANSWERS[name]]
    for check, (_, figure) in zip(checks, ANSWERS[name], strict=True):
        if figure == "text":
            assert isinstance(check.computed, str), check.name
        elif figure is None or isinstance(figure, str):
            assert check.computed == figure, check.name
        else:
            assert check.computed == pytest.approx(figure, rel=5e-3), check.name


@pytest.mark.parametrize("entry", recipes(), ids=lambda entry: entry.id)
def test_no_figure_of_a_check_is_stored_in_its_file(entry: Any) -> None:
    for check in entry.checks:
        assert (check.formula or check.parts) and "computed" not in type(check).model_fields
        assert check.name


EXAMPLE = """
id: mine
name: Mine
kind: use-case
family: decoder
method: lora
task: causal-lm
facts:
  rows: {value: [10, 20], source: counted}
described:
  steps: {value: 100, line: document 000 L1}
published:
  batch: {value: 16, source: somewhere}
checks:
  - name: epochs
    formula: epochs_of_steps
    inputs: {steps: described.steps, batch: published.batch, examples: facts.rows.1}
    claimed: CLAIM
"""


def check_of(claim: str, **changes: str) -> Any:
    text = EXAMPLE.replace("CLAIM", claim)
    for before, after in changes.items():
        text = text.replace(before, after)
    return audit(parse_recipe(text))[0]


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ("80", "holds"),
        ("81", "holds"),
        ("90", "fails"),
        ("[70, 90]", "holds"),
        ("[1, 5]", "fails"),
        ("null", "info"),
        ("many", "fails"),
        ("described.steps", "fails"),
    ],
)
def test_a_claim_is_compared_with_the_computed_figure(claim: str, status: str) -> None:
    check = check_of(claim)
    assert (check.computed, check.status) == (80, status)


def test_a_figure_outside_the_plausible_range_is_said_so() -> None:
    assert check_of("80\n    plausible: [0, 10]").status == "implausible"
    assert check_of("80\n    compare: false").status == "info"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("epochs_of_steps", "os.system", "no formula called os.system"),
        ("facts.rows.1", "facts.rows.7", "no value called facts.rows.7"),
        ("described.steps", "described.nothing", "no value called described.nothing"),
        ("examples: ", "rows: ", "takes steps, batch, examples"),
        ("facts.rows.1", "0", "no answer"),
    ],
)
def test_a_check_that_cannot_be_computed_names_recipe_and_check(before: str, after: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check_of("80", **{before: after})
    assert caught.value.where == "mine: epochs"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("kind: use-case", "colour: red"),
        ("id: mine", "id: ../mine"),
        (", line: document 000 L1", ""),
        (", source: somewhere", ""),
        ("id: mine", "id: [1"),
    ],
)
def test_a_file_that_is_not_a_recipe_is_refused_with_its_name(before: str, after: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe(EXAMPLE.replace(before, after), where="mine.yaml")
    assert caught.value.where == "mine.yaml" and "mine.yaml" in caught.value.message


def test_clock_times_and_texts_agree_as_a_person_would_say() -> None:
    assert agrees("2:02:51", ["2:02:53"], 0.001)
    assert not agrees("2:02:51", ["3:02:53"], 0.001)
    assert agrees("4 h", ["4 h"], 0) and not agrees("4 h", ["5 h"], 0)


def test_published_runs_beside_the_documents_are_kept_apart() -> None:
    names = {entry.id for entry in comparators()}
    assert len(names) == 15 and not names & {entry.id for entry in recipes()}
    assert all(entry.published and not entry.described for entry in comparators())


def test_the_alpaca_recipe_runs_at_the_published_batch_length_and_rate() -> None:
    entry = recipe("alpaca")
    spec = run_spec(entry)
    assert spec.schedule.per_device_batch * spec.schedule.accumulation == entry.published["effective_batch"].value
    assert spec.schedule.learning_rate == entry.published["learning_rate"].value
    assert spec.data.max_length == entry.published["max_seq_length"].value
    assert spec.recipe == "alpaca"
