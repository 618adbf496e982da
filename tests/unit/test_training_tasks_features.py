"""From canonical rows to what a model takes: labels, alignment of words, windows of passages, and bad rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import task_runs as tasks
import toy_tokenizers as toys
import training_runs as runs

from lab.data.example import IGNORED
from lab.data.features import classification, labels, tokens
from lab.data.features.questions import Windows
from lab.data.features.rows import open_rows
from lab.data.rendered import NOT_IN_CONTEXT, QUESTION_TOO_LONG, TOO_LONG
from lab.errors import InputError
from lab.training.methods.losses import class_weights


def test_labels_are_in_a_fixed_order_numbers_by_value() -> None:
    rows = [{"label": label} for label in ("10", "2", "b", "a", "2")]
    assert labels.classes_of(rows, rows) == ["2", "10", "a", "b"] or labels.in_order(["10", "2"]) == ["2", "10"]
    assert labels.classes_of(rows, []) == labels.classes_of(rows[::-1], [])


@pytest.mark.parametrize(
    ("train", "held_out", "sentence"),
    [
        (["a"] * 5, [], "same label"),
        (["a", "b"], ["a", "c"], "no training row has: c"),
        ([f"text {i}" for i in range(30)], [], "30 different labels"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(train: list[str], held_out: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        labels.classes_of([{"label": label} for label in train], [{"label": label} for label in held_out])


def test_unseen_types_of_entities_are_refused() -> None:
    train = [{"tags": ["B-person", "O"]}]
    assert labels.tags_of(train, train) == ["O", "B-person", "I-person"]
    with pytest.raises(InputError, match="no training row has: place"):
        labels.tags_of(train, [{"tags": ["B-place"]}])


def test_own_split_keeps_every_label_in_training(tmp_path: Path) -> None:
    rows = [{"text": f"row {i}", "label": "rare" if i == 7 else "often"} for i in range(40)]
    data = tasks.prepared(rows, "classification", validation=0)
    spec = runs.make_spec(tmp_path, Path(data), task="classification", data__validation_share=0.25)
    found = open_rows(spec, tmp_path, "classification")
    assert {row["label"] for row in found.train} == {"rare", "often"}
    assert (len(found.train), len(found.validation)) == (30, 10)
    assert open_rows(spec, tmp_path, "classification").fingerprint == found.fingerprint


def test_data_of_another_kind_names_the_task_that_fits(tmp_path: Path) -> None:
    data = tasks.prepared(tasks.entity_rows(), "token-classification")
    spec = runs.make_spec(tmp_path, Path(data), task="classification")
    with pytest.raises(InputError, match="cannot learn from rows of the kind token-classification") as found:
        open_rows(spec, tmp_path, "classification")
    assert "task=token-classification" in found.value.as_dict()["next"]


# --- long rows ---


@pytest.mark.parametrize("too_long", ["drop", "cut"])
def test_a_long_text_is_dropped_or_cut_and_counted(too_long: str) -> None:
    rows = [{"text": "a b", "label": "x"}, {"text": "word " * 60, "label": "y"}]
    found = classification.encode(rows, ["x", "y"], toys.demo(), max_length=16, too_long=too_long)
    assert max(len(item.input_ids) for item in found.items) <= 16
    assert found.dropped == ({TOO_LONG: 1} if too_long == "drop" else {})
    assert (len(found.items), found.cut) == ((1, 0) if too_long == "drop" else (2, 1))


def test_control_tokens_in_a_text_stay_characters() -> None:
    tokenizer = toys.llama_like()
    row = {"text": "the end </s> of it", "label": "x"}
    ids = classification.encode([row], ["x", "y"], tokenizer, max_length=64).items[0].input_ids
    assert tokenizer.eos_token_id not in ids


# --- words and their tokens ---


@pytest.mark.parametrize("name", list(toys.ALL))
def test_the_first_token_of_each_word_carries_its_tag(name: str) -> None:
    tokenizer = toys.ALL[name]()
    words, tags = ["Anna-Maria", "of", "Paris", "!"], ["B-person", "O", "B-place", "O"]
    known = ["O", "B-person", "I-person", "B-place", "I-place"]
    item = tokens.encode([{"tokens": words, "tags": tags}], known, tokenizer, max_length=64).items[0]
    assert len(item.places) == 4 and None not in item.places
    assert [known[item.labels[place]] for place in item.places] == tags
    assert sum(label != IGNORED for label in item.labels) == 4
    text = " ".join(words)
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    for place, word in zip(item.places, words, strict=True):
        start, end = offsets[place]
        assert text[start:end].strip() and word.startswith(text[start:end].strip())


def test_words_that_are_cut_off_have_no_token() -> None:
    row = {"tokens": ["word"] * 30, "tags": ["O"] * 30}
    found = tokens.encode([row], ["O", "B-x", "I-x"], toys.gpt2_like(), max_length=10, too_long="cut")
    places = found.items[0].places
    assert found.cut == 1 and places[0] is not None and places[-1] is None and len(places) == 30


# --- passages and their windows ---

CONTEXT = " ".join(f"word{i}" for i in range(40)) + " the capital is Paris " + " ".join(f"more{i}" for i in range(20))
ROW: dict[str, Any] = {"id": "1", "question": "What ?", "context": CONTEXT,
                       "answers": [{"text": "Paris", "start": CONTEXT.index("Paris")}]}  # fmt: skip


@pytest.mark.parametrize("name", list(toys.ALL))
@pytest.mark.parametrize("closes", [True, False])
def test_windows_hold_the_whole_passage_and_find_the_answer(name: str, closes: bool) -> None:
    tokenizer = toys.ALL[name]()
    closing = tokenizer.eos_token_id if closes else None
    items = Windows(60, 20, closing).encode([ROW], tokenizer, to_train=True).items
    assert len(items) > 1 and all(len(item.input_ids) <= 60 for item in items)
    seen, found = set(), []
    for item in items:
        assert len(item.places) == len(item.input_ids)
        seen.update(at for span in item.places if span for at in range(*span))
        nowhere = len(item.input_ids) - 1 if closes else 0
        if item.labels != [nowhere, nowhere]:
            first, last = item.places[item.labels[0]], item.places[item.labels[1]]
            found.append(CONTEXT[first[0] : last[1]].strip())
    assert {at for at, letter in enumerate(CONTEXT) if letter != " "} <= seen
    assert found and set(found) == {"Paris"}
    if closes:
        assert all(item.input_ids[-1] == closing for item in items)


def test_rows_that_teach_nothing_are_dropped_with_their_reason() -> None:
    wrong = ROW | {"answers": [{"text": "Rome", "start": 3}]}
    long = ROW | {"question": "why " * 100}
    found = Windows(60, 20).encode([wrong, long, ROW], toys.demo(), to_train=True)
    assert found.dropped == {NOT_IN_CONTEXT: 1, QUESTION_TOO_LONG: 1}
    assert {item.row for item in found.items} == {2}


# --- preparation ---


def _labelled_file(folder: Path) -> Path:
    rows = [{"text": f"a <b>kind</b> film number {i}", "label": "rare" if i % 10 == 0 else "often"} for i in range(60)]
    path = folder / "films.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]), encoding="utf-8")
    return path


def test_a_file_goes_through_the_preparation_that_the_run_asks_for(tmp_path: Path) -> None:
    wanted = {
        "preparation__steps": ["strip-html", "missing", "exact-duplicates"],
        "preparation__balance": "oversample",
        "preparation__test_share": 0.1,
        "data__validation_share": 0.2,
    }
    spec = runs.make_spec(tmp_path, _labelled_file(tmp_path), task="classification", **wanted)
    found = open_rows(spec, tmp_path, "classification")
    assert all("<b>" not in row["text"] for row in found.train)
    assert found.dropped["duplicate"] == 1
    counts = Counter(row["label"] for row in found.train)
    assert counts["rare"] == counts["often"]
    assert (len(found.validation), len(found.test)) == (12, 6)


def test_rows_repeated_by_a_preparation_are_trained_on_as_often(tmp_path: Path) -> None:
    rows = [{"text": "good", "label": "x", "split": "train"}] * 3 + [{"text": "bad", "label": "y", "split": "train"}]
    data = tasks.prepared(rows, "classification", validation=0)
    spec = runs.make_spec(tmp_path, Path(data), task="classification", data__validation_share=0.0)
    found = open_rows(spec, tmp_path, "classification")
    assert len(found.train) == 4


def test_weights_of_the_preparation_reach_the_loss(tmp_path: Path) -> None:
    wanted = {"preparation__balance": "weights", "data__validation_share": 0.0}
    spec = runs.make_spec(tmp_path, _labelled_file(tmp_path), task="classification", **wanted)
    found = open_rows(spec, tmp_path, "classification")
    weights = class_weights(spec.regularisation, ["often", "rare"], [54, 6], found.weights)
    assert weights is not None
    assert weights.tolist() == pytest.approx([60 / (2 * 54), 60 / (2 * 6)])
    own = spec.regularisation.model_copy(update={"class_weights": "given", "class_values": {"rare": 3.0}})
    assert class_weights(own, ["often", "rare"], [54, 6], found.weights).tolist() == [1.0, 3.0]
