"""Ids and labels on tokenizers that treat the edges of a text differently: BOS once, EOS once, the prompt
masked.
"""

from __future__ import annotations

from typing import Any

import pytest
import toy_tokenizers
from transformers import PreTrainedTokenizerBase

from lab.data.example import IGNORED, Example
from lab.data.rendered import Rendered
from lab.data.report import segments
from lab.data.templates import free_prompt, render
from lab.data.tokenizer import frame_of
from lab.data.tokens import Dropped, Encoded, Encoder, encode

ROWS = [
    {"question": "What is the capital of France?", "answer": "Paris is the capital of France."},
    {"question": "Où sont les élèves ?", "answer": "🙂 L'été, ils mangent des gâteaux à l'œuf."},
    {"question": "Code?", "answer": "def add(a, b):\n    return a + b\n"},
    {"question": "A blank first?", "answer": "  two blanks, then text"},
    {"question": "A line break first?", "answer": "\n\nnew lines"},
    {"question": "Control </s> <s> <|im_end|>", "answer": "</s> is the end, <s> the start </s>"},
    {"question": "Ends with blanks   ", "answer": "x"},
    {"question": "数据", "answer": "数"},
]
TEMPLATES = ["question-answer", "alpaca", "plain"]


@pytest.fixture(scope="module", params=toy_tokenizers.ALL)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    return toy_tokenizers.ALL[request.param]()


def example(rendered: Rendered, tokenizer: PreTrainedTokenizerBase, **options: Any) -> Example:
    encoder = Encoder(tokenizer, **{"max_length": 512} | options)
    encoded = encoder.encode_all([rendered])[0]
    assert isinstance(encoded, Encoded)
    return encoder.example(rendered, encoded)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["question"][:12])
def test_start_and_end_stand_once_and_only_the_answer_is_trained(
    tokenizer: PreTrainedTokenizerBase, row: dict[str, str], template: str
):
    rendered = render(row, "question-answer", template, tokenizer)
    found, frame = example(rendered, tokenizer), frame_of(tokenizer)
    start = len(frame.before)
    assert tuple(found.input_ids[:start]) == frame.before
    assert found.input_ids.count(frame.end) == 1
    assert found.input_ids[-1] == found.labels[-1] == frame.end
    if tokenizer.bos_token_id != frame.end:
        assert found.input_ids.count(tokenizer.bos_token_id) == start
    assert found.labels[: found.n_prompt] == [IGNORED] * found.n_prompt
    assert found.labels[found.n_prompt :] == found.input_ids[found.n_prompt :]
    trained = tokenizer.decode(found.input_ids[start:-1], clean_up_tokenization_spaces=False)
    assert trained == rendered.prompt + rendered.completion
    assert found.prompt + found.completion == rendered.prompt + rendered.completion


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["question"][:12])
def test_the_ids_to_generate_from_are_a_prefix_of_the_ids_in_training(
    tokenizer: PreTrainedTokenizerBase, row: dict[str, str], template: str
):
    found = example(render(row, "question-answer", template, tokenizer), tokenizer)
    asked = free_prompt(row["question"], template=template, kind="question-answer", tokenizer=tokenizer)
    assert Encoder(tokenizer, max_length=512).prompt_ids(asked) == found.prompt_ids
    assert found.input_ids[: found.n_prompt] == found.prompt_ids


def test_a_blank_before_the_answer_belongs_to_the_answer_where_the_tokenizer_joins_them():
    rendered = render(ROWS[0], "question-answer", "question-answer")
    gpt2, demo = toy_tokenizers.gpt2_like(), toy_tokenizers.demo()
    found = example(rendered, gpt2)
    assert found.prompt.endswith("### Answer:")
    assert gpt2.decode([found.input_ids[found.n_prompt]]) == " Paris", "one token, not a blank and a word"
    assert example(rendered, demo).prompt.endswith("### Answer: ")


def test_the_end_is_added_by_the_lab_even_if_the_tokenizer_adds_one():
    tokenizer = toy_tokenizers.with_end_added()
    assert tokenizer("a")["input_ids"][-1] == tokenizer.eos_token_id
    found = example(render(ROWS[0], "question-answer", "question-answer"), tokenizer)
    assert tokenizer.eos_token_id not in found.prompt_ids


def test_everything_but_the_start_is_trained_on_request(tokenizer: PreTrainedTokenizerBase):
    rendered = render(ROWS[0], "question-answer", "question-answer")
    found, start = example(rendered, tokenizer, completion_only=False), len(frame_of(tokenizer).before)
    assert found.labels == [IGNORED] * start + found.input_ids[start:]
    assert 0 < start + 1 < found.n_prompt < len(found.input_ids)


def test_an_answer_of_blanks_is_dropped(tokenizer: PreTrainedTokenizerBase):
    rendered = render({"question": "q", "answer": " \n"}, "question-answer", "question-answer")
    assert encode(rendered, tokenizer, max_length=512) == Dropped("empty answer")


def test_a_row_that_is_too_long_is_dropped_or_cut_without_its_end(tokenizer: PreTrainedTokenizerBase):
    rendered = render(ROWS[0], "question-answer", "question-answer")
    whole = encode(rendered, tokenizer, max_length=512)
    assert isinstance(whole, Encoded)
    length = len(whole.input_ids)
    assert encode(rendered, tokenizer, max_length=length) == whole
    assert encode(rendered, tokenizer, max_length=length - 1) == Dropped("too long", length)
    cut = encode(rendered, tokenizer, max_length=length - 1, too_long="cut")
    assert isinstance(cut, Encoded)
    assert (cut.cut, cut.length, cut.input_ids) == (True, length, whole.input_ids[:-1])
    assert frame_of(tokenizer).end not in cut.input_ids
    at_prompt = encode(rendered, tokenizer, max_length=whole.n_prompt, too_long="cut")
    assert at_prompt == Dropped("question too long", length)


def test_plain_text_is_trained_as_a_whole_and_its_opening_is_the_prompt(tokenizer: PreTrainedTokenizerBase):
    text = "Below is an instruction that describes a task. Write a response that completes the request."
    found = example(render({"text": text}, "text", "plain"), tokenizer)
    start = len(frame_of(tokenizer).before)
    assert found.labels[start:] == found.input_ids[start:]
    assert start < found.n_prompt <= max(1 + start, len(found.input_ids) // 4)
    assert found.prompt and found.prompt + found.completion == text
    assert found.question == found.prompt


def test_each_answer_of_a_conversation_is_trained_and_ends():
    tokenizer = toy_tokenizers.llama_like(toy_tokenizers.CHATML)
    turns = [
        {"role": role, "content": f"{role} says {number}"}
        for number in (1, 2)
        for role in ("user", "assistant")
    ]
    rendered = render({"messages": turns}, "messages", "chat", tokenizer)
    found = example(rendered, tokenizer)
    trained = [token for token, label in zip(found.input_ids, found.labels, strict=True) if label != IGNORED]
    assert trained.count(tokenizer.eos_token_id) == 2, "one for each answer, none added"
    assert found.input_ids.count(tokenizer.bos_token_id) == 0, "the template decides, and this one has none"
    text = "".join(segment.text for segment in rendered.segments)
    assert found.input_ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert found.prompt.endswith("user says 2<|im_end|>\n<|im_start|>assistant\n")


def test_a_conversation_that_is_cut_before_its_last_answer_keeps_the_earlier_ones():
    tokenizer = toy_tokenizers.gpt2_like(toy_tokenizers.CHATML)
    turns = [{"role": role, "content": f"{role} {n} " * 9} for n in (1, 2) for role in ("user", "assistant")]
    rendered = render({"messages": turns}, "messages", "chat", tokenizer)
    whole = example(rendered, tokenizer)
    cut = example(rendered, tokenizer, max_length=whole.n_prompt, too_long="cut")
    assert cut.input_ids == whole.input_ids[: whole.n_prompt]
    assert cut.n_prompt < whole.n_prompt
    assert cut.prompt == rendered.segments[0].text
    assert any(label != IGNORED for label in cut.labels)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["question"][:12])
def test_the_preview_shows_every_token_once_and_what_is_trained(
    tokenizer: PreTrainedTokenizerBase, row: dict[str, str]
):
    rendered = render(row, "question-answer", "question-answer")
    found, frame = example(rendered, tokenizer), frame_of(tokenizer)
    shown = segments(found, tokenizer)
    assert [trained for _, trained in shown] == [label != IGNORED for label in found.labels]
    edges = tokenizer.decode(list(frame.before)), tokenizer.decode([frame.end])
    assert "".join(text for text, _ in shown) == edges[0] + rendered.prompt + rendered.completion + edges[1]
    assert "".join(text for text, trained in shown if trained) == found.completion + edges[1]
    assert not any("\ufffd" in text for text, _ in shown)
