"""What is done to training rows only: classes balanced, varied copies, general data."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lab.data.augment import augment
from lab.data.balance import balance, class_weights
from lab.data.replay import as_kind, replay
from lab.data.vary import KEYBOARDS
from lab.errors import InputError

FILMS = [{"text": f"Le film numéro {n} est vraiment très réussi.", "label": "bon"} for n in range(12)] + [
    {"text": f"Quel ennui, la partie {n} ne finit jamais.", "label": "mauvais"} for n in range(3)
]
QUESTIONS = [
    {"question": "Comment renouveler sa carte d'identité ?", "answer": "Il faut prendre rendez-vous en mairie."},
    {"question": "What does `os.path.join(a, b)` return on Windows?", "answer": "The two parts with a backslash."},
    {"question": "Quand paie-t-on la taxe de 25 euros ?", "answer": "Quand la carte a été perdue ou volée."},
    {"question": "2 + 2 = ?", "answer": "4"},
]

SENTENCE = "La ville de Nantes accueille chaque année Marie Curie dans son grand théâtre"


# --- balance ---


def test_weights_are_inverse_frequencies():
    assert class_weights(["a"] * 3 + ["b"]) == {"a": 4 / (2 * 3), "b": 4 / (2 * 1)}
    weights = balance(FILMS, "classification", "weights", 42).weights
    assert weights == {"bon": 15 / (2 * 12), "mauvais": 15 / (2 * 3)}
    assert sum(weights[row["label"]] for row in FILMS) == pytest.approx(len(FILMS))


def test_tags_are_weighted_one_by_one():
    rows = [{"tokens": ["Léa", "dort"], "tags": ["B-PER", "O"]}, {"tokens": ["Il", "pleut"], "tags": ["O", "O"]}]
    assert balance(rows, "token-classification", "weights", 42).weights == {"B-PER": 2.0, "O": 4 / 6}


def test_oversampling_repeats_the_rare_rows_in_turn():
    balanced = balance(FILMS, "classification", "oversample", 42)
    assert Counter(row["label"] for row in balanced.rows) == {"bon": 12, "mauvais": 12}
    assert balanced.rows[: len(FILMS)] == FILMS and balanced.added == {"mauvais": 9}
    copies = Counter(row["text"] for row in balanced.rows[len(FILMS) :])
    assert set(copies.values()) == {3} and all(row["repeated"] for row in balanced.rows[len(FILMS) :])


def test_undersampling_keeps_the_same_rows_in_any_order():
    balanced = balance(FILMS, "classification", "undersample", 42)
    assert Counter(row["label"] for row in balanced.rows) == {"bon": 3, "mauvais": 3}
    assert balanced.dropped == {"bon": 9}
    again = balance(FILMS[::-1], "classification", "undersample", 42).rows
    assert sorted(map(str, again)) == sorted(map(str, balanced.rows))
    assert sorted(map(str, balance(FILMS, "classification", "undersample", 7).rows)) != sorted(map(str, balanced.rows))


def test_balance_that_makes_no_sense_is_refused_and_none_changes_nothing():
    assert balance(QUESTIONS, "question-answer", "none", 42).rows is QUESTIONS
    assert balance([], "classification", "oversample", 42).rows == []
    for kind, how in (("question-answer", "weights"), ("token-classification", "oversample")):
        with pytest.raises(InputError, match=f"kind {kind} cannot be balanced by {how}"):
            balance([{"question": "?", "answer": "!"}], kind, how, 42)


# --- augmentation ---


@pytest.mark.parametrize("how", ["characters", "words"])
def test_copies_vary_the_question_and_never_the_answer(how: str):
    made = augment(QUESTIONS, "question-answer", how, 1.0, 42).rows
    answers = {row["answer"]: row["question"] for row in QUESTIONS}
    assert len(made) == 4 and all(row["augmented"] for row in made)
    for row in made:
        assert row["answer"] in answers and row["question"] != answers[row["answer"]]
        if "Windows" in answers[row["answer"]]:
            assert "`os.path.join(a, b)`" in row["question"]
    assert "4" not in {row["answer"] for row in made}, "a question of numbers has nothing to vary"
    assert augment(QUESTIONS, "question-answer", how, 1.0, 42).rows == made
    assert augment(QUESTIONS, "question-answer", how, 1.0, 43).rows != made


def test_the_share_counts_copies_and_none_makes_none():
    rows = [{"question": f"Où se trouve la mairie du quartier numéro {n} ?", "answer": "Là-bas."} for n in range(50)]
    assert [len(augment(rows, "question-answer", "words", share, 42).rows) for share in (0.1, 1.0, 2.0)] == [5, 50, 100]
    assert augment(rows, "question-answer", "none", 1.0, 42).rows == []
    assert augment([], "question-answer", "words", 1.0, 42).rows == []
    assert augment(QUESTIONS[3:], "question-answer", "words", 2.0, 42).rows == []


def test_a_mistyped_key_lies_beside_the_right_one():
    assert set(KEYBOARDS["en"]["s"]) == set("adwezx")
    assert set(KEYBOARDS["en"]["p"]) == {"o", "l"}
    assert set(KEYBOARDS["fr"]["s"]) == set("qdzewx")
    assert "a" in KEYBOARDS["fr"]["z"] and "z" not in KEYBOARDS["en"]["q"]


def test_labels_stay_and_tags_stay_with_their_tokens():
    rows = [{"tokens": SENTENCE.split(), "tags": []}]
    tags = {"Nantes": "B-LOC", "Marie": "B-PER", "Curie": "I-PER"}
    rows[0]["tags"] = [tags.get(token, "O") for token in rows[0]["tokens"]]
    for seed in range(30):
        (row,) = augment(rows, "token-classification", "words", 1.0, seed).rows
        assert [tags.get(token, "O") for token in row["tokens"]] == row["tags"]
        assert [token for token in row["tokens"] if token in tags] == ["Nantes", "Marie", "Curie"]
        (row,) = augment(rows, "token-classification", "characters", 1.0, seed).rows
        assert row["tags"] == rows[0]["tags"] and row["tokens"] != rows[0]["tokens"]
    films = augment(FILMS, "classification", "characters", 1.0, 42).rows
    assert Counter(row["label"] for row in films) == {"bon": 12, "mauvais": 3}


@pytest.mark.parametrize("kind", ["extractive-qa", "text"])
def test_rows_that_would_lose_their_answer_are_left_alone_and_that_is_said(kind: str):
    row = {"id": "1", "context": "Il pleut.", "question": "Quoi ?", "answers": [], "text": "Il pleut."}
    made = augment([row], kind, "words", 1.0, 42)
    assert made.rows == [] and made.notes[0]["values"] == {"kind": kind}


def test_of_a_conversation_only_what_the_user_says_is_varied():
    turns = [
        {"role": "system", "content": "Réponds toujours avec beaucoup de politesse."},
        {"role": "user", "content": "Quel temps fera-t-il demain dans les Alpes du Nord ?"},
        {"role": "assistant", "content": "Il fera beau sur tous les sommets."},
    ]
    (row,) = augment([{"messages": turns}], "messages", "words", 1.0, 42).rows
    assert row["messages"][0] == turns[0] and row["messages"][2] == turns[2] and row["messages"][1] != turns[1]
    assert turns[1]["content"].startswith("Quel temps")


# --- replay ---


GENERAL = [
    {"instruction": f"Explique le mot numéro {n}.", "input": "", "output": f"C'est le mot {n}.", "split": "validation"}
    for n in range(100)
]
TRAIN = [{"question": f"Question {n} ?", "answer": f"Réponse {n}."} for n in range(80)]


@pytest.mark.parametrize(("share", "rows"), [(0.05, 4), (0.1, 9), (0.2, 20), (0.25, 27)])
def test_general_rows_are_so_large_a_share_of_all_training_rows(share: float, rows: int):
    mixed = replay(TRAIN, "question-answer", GENERAL, "instruction", share, 42)
    assert len(mixed.rows) == rows and mixed.share == rows / (80 + rows) and not mixed.notes
    assert all(row["replay"] and "split" not in row and row["answer"].startswith("C'est") for row in mixed.rows)
    assert replay(TRAIN, "question-answer", GENERAL[::-1], "instruction", share, 42).rows == mixed.rows


def test_too_few_general_rows_and_an_unusual_share_are_told():
    few = replay(TRAIN, "question-answer", GENERAL[:5], "instruction", 0.2, 42)
    assert len(few.rows) == 5 and few.notes[0]["values"] == {"rows": 5, "share": 5 / 85}
    assert replay(TRAIN, "question-answer", GENERAL, "instruction", 0.5, 42).notes[0]["values"] == {"share": 0.5}


def test_rows_that_are_trained_anyway_are_not_taken():
    general = [*TRAIN, {"question": "Une autre ?", "answer": "Oui."}]
    assert [row["question"] for row in replay(TRAIN, "question-answer", general, "question-answer", 0.25, 42).rows] == [
        "Une autre ?"
    ]


@pytest.mark.parametrize(("kind", "general_kind"), [("text", "instruction"), ("question-answer", "text")])
def test_another_kind_that_cannot_become_the_same_is_refused(kind: str, general_kind: str):
    with pytest.raises(InputError, match=f"kind {general_kind} cannot be mixed into rows of the kind {kind}"):
        replay([{"text": "a"}], kind, [{"text": "b", "instruction": "i", "output": "o"}], general_kind, 0.1, 42)


def test_general_labels_that_nobody_trains_are_refused():
    with pytest.raises(InputError, match="labels that the training rows do not have: neutre"):
        replay(FILMS, "classification", [{"text": "Bof.", "label": "neutre"}], "classification", 0.1, 42)


@pytest.mark.parametrize(
    ("row", "kind", "wanted", "became"),
    [
        (
            {"instruction": "Traduis.", "input": "cat", "output": "chat"},
            "instruction",
            "prompt-completion",
            {"prompt": "Traduis.\n\ncat", "completion": "chat"},
        ),
        (
            {"prompt": "Bonjour", "completion": "Salut"},
            "prompt-completion",
            "messages",
            {"messages": [{"role": "user", "content": "Bonjour"}, {"role": "assistant", "content": "Salut"}]},
        ),
        (
            {
                "messages": [
                    {"role": "system", "content": "Sois bref."},
                    {"role": "user", "content": "Bonjour"},
                    {"role": "assistant", "content": "Salut"},
                ]
            },
            "messages",
            "instruction",
            {"instruction": "Sois bref.\n\nBonjour", "input": "", "output": "Salut"},
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "b"},
                    {"role": "user", "content": "c"},
                    {"role": "assistant", "content": "d"},
                ]
            },
            "messages",
            "question-answer",
            None,
        ),
    ],
)
def test_a_row_takes_another_form(row: dict[str, Any], kind: str, wanted: str, became: dict[str, Any] | None):
    assert as_kind(row, kind, wanted) == became
