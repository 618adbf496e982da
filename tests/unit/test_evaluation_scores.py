"""The scores of tasks against values that others publish or that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lab.training.preference import figures
from lab.training.scores import answers, classification, entities
from lab.training.scores.intervals import interval, resampled

# --- classes ---


def test_scores_of_three_classes_are_those_of_scikit_learn() -> None:
    # The example of scikit-learn's classification_report: y_true, y_pred, and what it prints.
    matrix = classification.confusion([0, 1, 2, 2, 2], [0, 0, 2, 2, 1], 3)
    assert matrix.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 2]]
    each = classification.by_class(matrix)
    assert each["precision"] == pytest.approx([0.5, 0.0, 1.0])
    assert each["recall"] == pytest.approx([1.0, 0.0, 2 / 3])
    assert each["f1"] == pytest.approx([2 / 3, 0.0, 0.8])
    found = classification.scores(matrix)
    assert float(found["accuracy"]) == pytest.approx(0.6)
    assert float(found["macro_f1"]) == pytest.approx(0.49, abs=0.005)
    assert float(found["weighted_f1"]) == pytest.approx(0.61, abs=0.005)


def test_matthews_correlation_is_the_one_of_scikit_learn() -> None:
    # matthews_corrcoef([1, 1, 1, -1], [1, -1, 1, 1]) is -0.33...
    assert classification.matthews(classification.confusion([1, 1, 1, 0], [1, 0, 1, 1], 2)) == pytest.approx(-1 / 3)
    assert classification.matthews(np.array([[5, 0], [0, 5]])) == 1.0
    assert classification.matthews(np.array([[5, 0], [5, 0]])) == 0.0


# --- entities ---


def test_entity_scores_are_those_of_seqeval() -> None:
    # The example in seqeval's README: F1 0.50; MISC 0 of 1, PER 1 of 1.
    truth = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    said = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    rows = [entities.counts(a, b) for a, b in zip(truth, said, strict=True)]
    table = entities.by_type(rows)
    assert table["MISC"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert table["PER"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}


def test_an_entity_that_begins_inside_is_none_in_strict_mode() -> None:
    # seqeval's README: the default mode gives F1 1.00 here, mode="strict" with IOB2 gives 0.00.
    assert entities.spans(["I-NP", "I-NP", "O"]) == set()
    assert entities.spans(["B-NP", "I-NP", "O"]) == {("NP", 0, 2)}
    assert entities.spans(["B-A", "I-B", "I-A", "B-A", "B-A"]) == {("A", 0, 1), ("A", 3, 4), ("A", 4, 5)}


# --- answers ---


@pytest.mark.parametrize(
    ("said", "known", "exact", "f1"),
    [
        ("The Eiffel Tower!", ["eiffel tower"], 1.0, 1.0),
        ("the tower of Paris", ["Eiffel Tower", "a tower in Paris"], 0.0, 2 * 2 / 6),
        ("", [], 1.0, 1.0),
        ("Paris", [], 0.0, 0.0),
        ("", ["Paris"], 0.0, 0.0),
        ("the the", ["a"], 1.0, 1.0),
    ],
)
def test_answers_are_scored_as_the_official_script_does(said: str, known: list[str], exact: float, f1: float) -> None:
    assert answers.best(said, known) == pytest.approx((exact, f1))


# --- intervals ---


def test_an_interval_of_a_share_is_as_wide_as_the_binomial_one() -> None:
    marks = np.array([[1.0, 1.0]] * 60 + [[0.0, 1.0]] * 40)
    low, high = interval(marks, lambda sums: sums[:, 0] / sums[:, 1])
    assert low == pytest.approx(0.6 - 1.96 * (0.24 / 100) ** 0.5, abs=0.02)
    assert high == pytest.approx(0.6 + 1.96 * (0.24 / 100) ** 0.5, abs=0.02)
    assert interval(np.zeros((0, 2)), lambda sums: sums[:, 0]) == (0.0, 1.0)


@pytest.mark.parametrize(("right", "expected"), [(1.0, (0.4385, 1.0)), (0.0, (0.0, 0.5615))])
def test_three_rows_that_are_all_right_or_all_wrong_make_nothing_certain(
    right: float, expected: tuple[float, float]
) -> None:
    marks = np.stack([np.full(3, right), np.ones(3)], 1)
    assert interval(marks, lambda sums: sums[:, 0] / sums[:, 1]) == pytest.approx(expected, abs=1e-4)
    good, bad = np.full(3, right), np.full(5, 0.5)
    assert figures.of_singles(good, bad, sure=True)[1:] == pytest.approx(expected, abs=1e-4)


def test_resamples_repeat_with_their_seed() -> None:
    marks = np.eye(5)
    first, again, other = (resampled(marks, lambda sums: sums[:, 0], seed=seed, resamples=20) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()
