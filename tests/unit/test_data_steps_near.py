"""Near duplicates and leakage: found by sketches, counted by the true similarity."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from lab.data.leakage import leakage, without
from lab.data.steps import StepReport, run_steps
from lab.data.steps.minhash import jaccard, matches, pairs_of_words, rows_per_band
from lab.spec.parts import PreparationSpec

CORPUS = Path(__file__).parents[2] / "docs" / "architecture.md"
TEXT = (
    "Pour renouveler sa carte d'identité, il faut prendre rendez-vous en mairie, apporter une photo récente, un "
    "justificatif de domicile et l'ancienne carte, puis attendre environ trois semaines avant de la retirer."
)


def near(rows: list[dict[str, Any]], kind: str = "text", threshold: float = 0.8) -> tuple[list[Any], StepReport]:
    preparation = PreparationSpec(steps=["near-duplicates"], near_threshold=threshold)
    kept, (report,) = run_steps(rows, kind, preparation, text_of=lambda row: "the same template " * 50)
    return kept, report


def sentences(count: int) -> list[str]:
    """Texts of 40 words of the documentation, in an order that a seed decides."""
    words = CORPUS.read_text(encoding="utf-8").split()
    chance = random.Random(7)
    return [" ".join(chance.sample(words, 40)) for _ in range(count)]


def test_one_other_word_in_twenty_is_a_near_duplicate_and_the_first_stays():
    rows = [{"text": text} for text in (TEXT, TEXT.replace("environ", "presque"), "Bonjour à tous.", TEXT.upper())]
    kept, report = near(rows)
    assert kept == [rows[0], rows[2]]
    assert report.dropped == {"near duplicate": 2}
    assert [(pair["row"], pair["of"]) for pair in report.pairs] == [(3, 0), (1, 0)]
    assert report.pairs[0]["similarity"] == 1.0
    exact = jaccard(pairs_of_words(TEXT), pairs_of_words(rows[1]["text"]))
    assert report.pairs[1]["similarity"] == round(exact, 4) > 0.8


def test_a_pair_below_the_threshold_stays():
    other = TEXT.replace("carte", "passeport").replace("mairie", "préfecture").replace("récente", "neuve")
    exact = jaccard(pairs_of_words(TEXT), pairs_of_words(other))
    assert 0.5 < exact < 0.8
    assert near([{"text": TEXT}, {"text": other}])[0] == [{"text": TEXT}, {"text": other}]
    assert near([{"text": TEXT}, {"text": other}], threshold=0.5)[0] == [{"text": TEXT}]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_sketches_find_what_comparing_every_pair_finds(threshold: float):
    texts, chance = sentences(60), random.Random(1)
    for text in list(texts):
        words = text.split()
        for _ in range(chance.randrange(5)):
            words[chance.randrange(len(words))] = "autrement"
        texts.append(" ".join(words))
    sets = [pairs_of_words(text) for text in texts]
    kept: list[int] = []
    expected = {}
    for row in range(len(texts)):
        best = max(((jaccard(sets[row], sets[other]), -other) for other in kept), default=(0.0, 0))
        if best[0] >= threshold:
            expected[row] = (-best[1], best[0])
        else:
            kept.append(row)
    found = matches(len(texts), texts.__getitem__, threshold)
    assert found.items() <= expected.items()
    assert len(found) >= 0.97 * len(expected) and len(expected) >= 8


def test_bands_are_as_long_as_recall_allows():
    assert [rows_per_band(threshold) for threshold in (0.5, 0.8, 1.0)] == [3, 6, 16]


def test_texts_without_words_resemble_nothing():
    rows = [{"text": text} for text in ("…", "!!!", "", "…", "oui", "Oui !", "non")]
    kept, _ = near(rows)
    assert kept == [rows[0], rows[1], rows[2], rows[3], rows[4], rows[6]]


def test_two_questions_about_one_passage_are_two_rows():
    passage = " ".join(sentences(5))
    rows = [
        {"id": str(n), "context": passage, "question": question, "answers": []}
        for n, question in enumerate(
            ("Qui a écrit ce livre ?", "Quand a-t-il paru en France ?", "Qui a écrit ce livre?")
        )
    ]
    kept, _ = near(rows, "extractive-qa")
    assert [row["id"] for row in kept] == ["0", "1"]
    rows = [{"question": row["question"], "context": passage, "answer": row["id"] * 3} for row in rows[:2]]
    assert near(rows, "question-answer")[0] == rows


def test_a_file_of_one_form_is_finished_and_its_rows_stay():
    rows = [
        {"question": f"What is {a} plus {b}?", "answer": str(a + b)} for a, b in itertools.product(range(40), repeat=2)
    ]
    kept, report = near(rows, "question-answer")
    assert len(kept) == len(rows) - sum(report.dropped.values()) and len(kept) > 800


def test_leaks_are_equal_questions_and_near_rows():
    held_out = [{"question": "Où retirer sa carte ?", "answer": TEXT}, {"question": "Combien ?", "answer": "25 euros."}]
    train = [
        {"question": "Et en hiver ?", "answer": "Rien ne change, sauf les horaires."},
        {"question": "Où retirer sa carte ?", "answer": "Je ne sais pas."},
        {"question": "Où donc retirer sa carte ?", "answer": TEXT},
    ]
    leaks = leakage(train, held_out, "question-answer")
    assert [(leak.train, leak.held_out) for leak in leaks] == [(1, 0), (2, 0)]
    assert leaks[0].similarity == 1.0 > leaks[1].similarity > 0.8
    assert without(train, leaks) == train[:1]
    assert set(leaks[0].as_dict()) == {"train", "held_out", "similarity", "text"}
    assert leakage(train, [], "question-answer") == leakage([], held_out, "question-answer") == []


def test_rows_that_resemble_one_another_in_one_part_are_no_leak():
    rows = [{"text": TEXT, "label": "a"}, {"text": TEXT + " Oui.", "label": "a"}]
    assert leakage(rows, [{"text": "Autre chose, tout à fait.", "label": "b"}], "classification") == []
    assert len(leakage(rows, [{"text": TEXT, "label": "b"}], "classification")) == 2


def test_a_passage_on_both_sides_leaks_whatever_is_asked():
    passage = " ".join(sentences(3))
    train = [{"id": "1", "context": passage, "question": "Qui ?", "answers": []}]
    held_out = [{"id": "2", "context": passage + " Fin.", "question": "Combien de temps ?", "answers": []}]
    assert [leak.train for leak in leakage(train, held_out, "extractive-qa")] == [0]
