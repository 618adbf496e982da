"""The demo's corpus, questions and shipped model: what its cards say must be so."""

import json
import logging
import platform
import random
import sys
from pathlib import Path

import pytest

from lab.training.demo_corpus import PROMPT, Entry, build_entries, fingerprint, in_taught_form, question_rows

DEMO = Path(__file__).parents[2] / "presets" / "demo"
FACTS = json.loads((DEMO / "facts.json").read_text())


@pytest.fixture(scope="module")
def corpus() -> list[Entry]:
    return build_entries()


@pytest.fixture(scope="module")
def shipped() -> list[dict[str, str]]:
    return [json.loads(line) for line in (DEMO / "questions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(DEMO / "model")


def test_two_builds_give_the_same_corpus(corpus):
    assert build_entries() == corpus


def test_what_a_package_adds_to_the_library_is_not_in_the_corpus(corpus, monkeypatch):
    # As transformers does; the first model was trained on two sentences of that kind.
    monkeypatch.setattr(logging, "once", lambda: "Say it once.", raising=False)
    logging.once.__doc__ = "Write a message to the log the first time only."
    assert build_entries() == corpus


@pytest.mark.skipif(
    platform.python_version() != FACTS["corpus"]["python"], reason="another Python's docstrings"
)
def test_the_shipped_questions_come_from_the_recorded_corpus(corpus, shipped):
    assert fingerprint(corpus) == FACTS["corpus"]["sha256"]
    assert question_rows(corpus) == shipped


def test_the_corpus_covers_the_library_with_thousands_of_entries(corpus):
    assert len(corpus) > 4000
    assert {"os", "builtins", "asyncio", "json", "decimal"} <= {e.module for e in corpus}


def test_no_page_asks_a_question_or_knows_the_prompt(corpus):
    from lab.training.demo_pages import FULL_PAGE, STYLES, lead_and_sentence

    for entry in corpus:
        for style in (*STYLES, FULL_PAGE):
            page = "".join(lead_and_sentence(entry, style))
            assert entry.question not in page
            assert "### Question" not in page
            assert "### Answer" not in page
        assert not entry.sentence.endswith("?")


def test_nothing_of_this_machine_is_in_the_corpus(corpus):
    text = json.dumps([vars(e) for e in corpus])
    assert sys.prefix not in text
    assert str(Path.home()) + "/" not in text
    assert " at 0x" not in text


def test_no_module_is_in_both_splits(shipped):
    train = {r["module"] for r in shipped if r["split"] == "train"}
    held_out = {r["module"] for r in shipped if r["split"] == "held_out"}
    assert held_out == set(FACTS["corpus"]["held_out_modules"])
    assert not train & held_out
    assert len(held_out) == pytest.approx((len(train) + len(held_out)) / 6, abs=1)


def test_no_answer_is_given_twice(shipped):
    assert len({r["answer"].lower() for r in shipped}) == len(shipped)
    assert len({r["question"] for r in shipped}) == len(shipped)


def test_every_answer_is_in_the_taught_form(shipped):
    wrong = [r["answer"] for r in shipped if not in_taught_form(r["answer"])]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Return the time.", True),
        ("Return the time.\n## os.path.join", False),
        ("Time.", False),
        ("", False),
        (", which is returned.", False),
        ("x" * 201, False),
    ],
)
def test_the_taught_form(text, expected):
    assert in_taught_form(text) is expected


def test_enough_held_out_questions_for_the_figures(shipped):
    assert sum(r["split"] == "held_out" for r in shipped) >= FACTS["evaluation"]["asked"] >= 200


def test_the_weights_are_small_and_only_safetensors():
    weights = [
        p for p in DEMO.rglob("*") if p.suffix in (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl")
    ]
    assert [p.name for p in weights] == ["model.safetensors"]
    assert weights[0].stat().st_size <= 12_000_000


def test_the_tokenizer_gives_back_every_question_and_answer(tokenizer, shipped):
    for row in random.Random(0).sample(shipped, 500):
        for text in (row["question"], row["answer"]):
            assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_prompt_and_answer_are_tokenized_alike_in_one_piece_or_two(tokenizer, shipped):
    # Trainers tokenize them together, generation only the prompt: a token across the border would be lost.
    for row in random.Random(0).sample(shipped, 100):
        prompt, answer = PROMPT.format(question=row["question"]), row["answer"] + tokenizer.eos_token
        pieces = tokenizer(prompt)["input_ids"] + tokenizer(answer, add_special_tokens=False)["input_ids"]
        assert tokenizer(prompt + answer)["input_ids"] == pieces


def test_the_special_tokens_are_three_and_there_is_no_chat_template(tokenizer):
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3
    assert tokenizer.chat_template is None


def test_the_cards_state_the_recorded_figures():
    card = (DEMO / "model" / "README.md").read_text()
    for side in ("base", "tuned"):
        assert str(FACTS["evaluation"][side]["loss"]) in card
        assert f"{FACTS['evaluation'][side]['answer_rate']:.1%}" in card
    assert FACTS["corpus"]["sha256"] in (DEMO / "DATA_CARD.md").read_text()


def test_the_recorded_figures_keep_the_demo_s_promise():
    base, tuned = FACTS["evaluation"]["base"], FACTS["evaluation"]["tuned"]
    assert tuned["loss"] <= 0.3 * base["loss"]
    assert tuned["format_rate"] >= 0.95 and base["format_rate"] <= 0.25
    assert tuned["answer_rate"] >= 0.5 and base["answer_rate"] <= 0.02
