"""The split: by share, by label, by group; the counts of scikit-learn, the same rows everywhere."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest

from lab.data.split import assign
from lab.errors import InputError, InputErrors
from lab.spec import build
from lab.spec.validate import check

REVIEWS = [
    {
        "text": f"Critique numéro {n} : un film {'superbe' if n % 10 else 'raté'}.",
        "label": "bon" if n % 10 else "mauvais",
    }
    for n in range(200)
]


def questions(count: int) -> list[dict[str, Any]]:
    return [{"question": f"Question {n} ?", "answer": f"Réponse {n}"} for n in range(count)]


def test_the_counts_of_the_document():
    parts = Counter(assign(questions(24_899), "question-answer", share=0.2, seed=42))
    assert parts == {"train": 19_919, "validation": 4_980}


@pytest.mark.parametrize("rows", [7, 10, 99, 101, 1000])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.15, 0.2, 0.33])
def test_the_counts_round_up_as_scikit_learn_does(rows: int, share: float):
    parts = Counter(assign(questions(rows), "question-answer", share=share, seed=1))
    assert parts["validation"] == math.ceil(rows * share)


def test_three_parts_and_the_validation_rows_do_not_depend_on_the_test_share():
    rows = questions(1000)
    parts = assign(rows, "question-answer", share=0.1, test_share=0.2, seed=42)
    assert Counter(parts) == {"train": 700, "validation": 100, "test": 200}
    two = assign(rows, "question-answer", share=0.1, seed=42)
    assert [part == "validation" for part in parts] == [part == "validation" for part in two]
    assert Counter(assign(rows, "question-answer", share=0.0, test_share=0.2, seed=42))["validation"] == 0


@pytest.mark.parametrize("by", ["random", "stratified", "group"])
def test_the_order_of_the_rows_changes_nothing(by: str):
    rows = [row | {"group": f"film {n % 23}"} for n, row in enumerate(REVIEWS)]
    options: dict[str, Any] = {"share": 0.2, "test_share": 0.1, "seed": 42, "by": by, "group_column": "film"}
    parts = {str(row): part for row, part in zip(rows, assign(rows, "classification", **options), strict=True)}
    shuffled = random.Random(3).sample(rows, len(rows))
    again = {str(row): part for row, part in zip(shuffled, assign(shuffled, "classification", **options), strict=True)}
    assert parts == again


def test_a_stratified_split_keeps_the_share_of_each_label():
    parts = assign(REVIEWS, "classification", share=0.2, test_share=0.1, seed=42, by="stratified")
    counts = Counter((row["label"], part) for row, part in zip(REVIEWS, parts, strict=True))
    assert counts == {
        ("bon", "train"): 126,
        ("bon", "validation"): 36,
        ("bon", "test"): 18,
        ("mauvais", "train"): 14,
        ("mauvais", "validation"): 4,
        ("mauvais", "test"): 2,
    }


def test_a_label_with_one_row_is_trained_on():
    rows = [*REVIEWS[:99], {"text": "Sans avis.", "label": "neutre"}]
    parts = assign(rows, "classification", share=0.5, test_share=0.3, seed=42, by="stratified")
    assert parts[-1] == "train" and Counter(parts) == {"train": 20, "validation": 50, "test": 30}


def test_an_equal_text_with_two_labels_stays_on_one_side():
    rows = [*REVIEWS, *({"text": row["text"], "label": "autre"} for row in REVIEWS[:50])]
    parts = assign(rows, "classification", share=0.3, seed=42, by="stratified")
    sides: dict[str, set[str]] = {}
    for row, part in zip(rows, parts, strict=True):
        sides.setdefault(row["text"], set()).add(part)
    assert all(len(side) == 1 for side in sides.values())


def test_a_group_stays_together():
    rows = [row | {"group": f"client {n % 20}"} for n, row in enumerate(questions(400))]
    parts = assign(rows, "question-answer", share=0.25, seed=42, by="group", group_column="client")
    sides: dict[str, set[str]] = {}
    for row, part in zip(rows, parts, strict=True):
        sides.setdefault(str(row["group"]), set()).add(part)
    assert all(len(side) == 1 for side in sides.values())
    assert Counter(parts) == {"train": 300, "validation": 100}


def test_groups_larger_than_the_share_give_the_smallest():
    rows = [row | {"group": "a" if n < 60 else "b"} for n, row in enumerate(questions(100))]
    parts = assign(rows, "question-answer", share=0.1, seed=42, by="group", group_column="client")
    assert Counter(parts) == {"train": 60, "validation": 40}
    one = [row | {"group": "a"} for row in questions(10)]
    assert Counter(assign(one, "question-answer", share=0.5, seed=1, by="group", group_column="x")) == {"train": 10}


def test_a_field_of_the_row_can_be_the_group():
    rows = [{"id": str(n), "context": f"Passage {n % 10}", "question": f"{n} ?", "answers": []} for n in range(100)]
    parts = assign(rows, "extractive-qa", share=0.2, seed=42, by="group", group_column="context")
    assert Counter(parts)["validation"] == 20


def test_rows_with_their_own_part_keep_it_and_the_rest_is_split():
    rows = [row | ({"split": "test"} if n < 30 else {}) for n, row in enumerate(questions(130))]
    parts = assign(rows, "question-answer", share=0.1, test_share=0.5, seed=42)
    assert parts[:30] == ["test"] * 30 and Counter(parts) == {"train": 90, "validation": 10, "test": 30}


def test_what_cannot_be_split_so_is_refused():
    with pytest.raises(InputError, match="no label") as refusal:
        assign(questions(10), "question-answer", share=0.2, seed=1, by="stratified")
    assert refusal.value.where == "preparation.split_by"
    with pytest.raises(InputError, match="No row has a value in the column client"):
        assign(questions(10), "question-answer", share=0.2, seed=1, by="group", group_column="client")
    assert assign([], "question-answer", share=0.2, seed=1, by="stratified") == []


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"preparation": {"split_by": "group"}}, "preparation.group_column"),
        ({"preparation": {"test_share": 0.5}, "data": {"validation_share": 0.5}}, "preparation.test_share"),
        ({"preparation": {"min_characters": 9, "max_characters": 9}}, "preparation.max_characters"),
        ({"preparation": {"augment": "words", "augment_share": 0}}, "preparation.augment_share"),
        ({"preparation": {"replay_source": "general", "replay_share": 0}}, "preparation.replay_share"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], where: str):
    with pytest.raises(InputErrors) as refusal:
        check(build(settings), runnable=False)
    assert [problem.where for problem in refusal.value.problems] == [where]
