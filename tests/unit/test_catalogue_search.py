"""Finding recipes by what they state, comparing them field by field, and taking a plan's numbers from them."""

import pytest

from lab.catalogue.search import everything, find, matching, properties
from lab.catalogue.side_by_side import compare, nearest, plan_values
from lab.errors import NotFoundError


def ids(found):
    return {one.id for one in found}


def test_every_recipe_has_a_purpose_and_no_id_twice():
    assert len(ids(everything())) == len(everything()) == 53  # the demo, 37 recipes, 15 published runs
    assert all(properties(one.id)["purpose"] for one in everything())


@pytest.mark.parametrize(
    ("words", "wanted", "inside", "outside"),
    [
        ("stanford", {}, "alpaca", "vicuna"),
        ("a100 llama", {}, "llama2_chat", "alpaca_lora"),
        ("", {"size": "large"}, "lima_65b", "alpaca"),
        ("", {"hardware": "one"}, "setup1_fast_cheap", "setup2_standard"),
        ("", {"hardware": "several"}, "setup1_fast_cheap", "setup3_high_quality"),
        ("", {"method": "qlora", "purpose": "comparator"}, "zephyr_7b_qlora", "qlora_guanaco"),
    ],
)
def test_words_and_properties_narrow_the_list(words, wanted, inside, outside):
    found = ids(matching(words, wanted))
    assert inside in found and outside not in found


def test_a_published_run_is_found_by_its_id_and_what_is_not_there_is_said():
    assert find("lima_65b").name
    with pytest.raises(NotFoundError):
        find("nothing")


def test_two_names_of_one_field_are_one_row_and_a_field_of_one_recipe_is_no_difference():
    rows = {row.field: row for row in compare(["alpaca", "zephyr_7b_full"])}
    assert [cell.value for cell in rows["max_seq_length"].cells] == [512, 2048]  # Zephyr calls it max_length
    assert rows["max_seq_length"].differs
    assert not rows["schedule"].differs and rows["schedule"].stated == 2
    assert not rows["license"].differs and rows["license"].stated == 1


def test_what_is_most_alike_is_of_the_same_method_and_task():
    assert {one.method for one in nearest("zephyr_7b_full")} == {"full"}
    assert nearest("bert_imdb", 1)[0].task == "classification"


def test_a_plan_takes_single_numbers_and_leaves_ranges_out():
    values = plan_values(find("zephyr_7b_qlora"))
    assert values["schedule.learning_rate"] == 2e-4 and values["method.rank"] == 16
    assert values["schedule.scheduler"] == "cosine"
    assert "schedule.learning_rate" not in plan_values(find("lima_65b"))  # 1e-5 decaying
    assert plan_values(find("dfmea_tables")) == {}
