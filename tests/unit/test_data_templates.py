"""The text around question and answer, letter for letter, and what of a conversation is trained."""

from __future__ import annotations

from typing import Any

import pytest
import toy_tokenizers

from lab.data.rendered import Unrenderable
from lab.data.templates import choose, free_prompt, render
from lab.errors import InputError

# tatsu-lab/stanford_alpaca, train.py, PROMPT_DICT, copied as it stands there.
PROMPT_DICT = {
    "prompt_input": (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
    ),
    "prompt_no_input": (
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n{instruction}\n\n### Response:"
    ),
}
TURNS = [
    {"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "q2"},
    {"role": "assistant", "content": "a2"},
]


def segments(*args: Any) -> list[tuple[str, bool]]:
    return [(segment.text, segment.trained) for segment in render(*args).segments]


@pytest.mark.parametrize(("extra", "name"), [("the input", "prompt_input"), ("", "prompt_no_input")])
def test_alpaca_is_the_prompt_of_stanford_alpaca(extra: str, name: str):
    row = {"instruction": "Do {it}.", "input": extra, "output": "Done {0}."}
    rendered = render(row, "instruction", "alpaca")
    assert rendered.prompt == PROMPT_DICT[name].format_map(row)
    assert rendered.completion == "Done {0}."
    assert rendered.reference == "Done {0}."
    assert rendered.question == ("Do {it}.\n\nthe input" if extra else "Do {it}.")


def test_question_and_answer():
    row = {"question": "Why?", "answer": "So."}
    assert segments(row, "question-answer", "question-answer") == [
        ("### Question: Why?\n### Answer: ", False),
        ("So.", True),
    ]
    with_context = render(row | {"context": "C"}, "question-answer", "question-answer")
    assert with_context.prompt == "### Context: C\n### Question: Why?\n### Answer: "


def test_plain_adds_nothing_and_text_is_trained_as_a_whole():
    assert segments({"prompt": "P ->", "completion": " C"}, "prompt-completion", "plain") == [
        ("P ->", False),
        (" C", True),
    ]
    assert segments({"text": "All of it."}, "text", "plain") == [("All of it.", True)]


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        ("instruction", "alpaca"),
        ("question-answer", "question-answer"),
        ("prompt-completion", "plain"),
        ("text", "plain"),
        ("messages", "question-answer"),
    ],
)
def test_auto_takes_what_fits_the_data(kind: str, template: str):
    assert choose("auto", kind, toy_tokenizers.gpt2_like()) == template


def test_auto_takes_the_chat_template_of_a_model_that_has_one():
    chat = toy_tokenizers.gpt2_like(toy_tokenizers.CHATML)
    found = {
        kind: choose("auto", kind, chat) for kind in ("messages", "instruction", "question-answer", "text")
    }
    assert found == {"messages": "chat", "instruction": "chat", "question-answer": "chat", "text": "plain"}
    assert choose("alpaca", "instruction", chat) == "alpaca"


def test_chat_is_refused_for_a_model_without_chat_template():
    with pytest.raises(InputError) as refusal:
        choose("chat", "messages", toy_tokenizers.gpt2_like())
    assert refusal.value.where == "data.template"


def test_only_what_the_assistant_says_is_trained():
    chat = toy_tokenizers.gpt2_like(toy_tokenizers.CHATML)
    rendered = render({"messages": [{"role": "system", "content": "s"}, *TURNS]}, "messages", "chat", chat)
    assert [(segment.text, segment.trained) for segment in rendered.segments] == [
        ("<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq1<|im_end|>\n<|im_start|>assistant\n", False),
        ("a1<|im_end|>\n", True),
        ("<|im_start|>user\nq2<|im_end|>\n<|im_start|>assistant\n", False),
        ("a2<|im_end|>\n", True),
    ]
    assert (rendered.question, rendered.reference) == ("q2", "a2")


def test_where_a_template_rewrites_earlier_turns_only_the_last_answer_is_trained():
    chat = toy_tokenizers.gpt2_like(toy_tokenizers.FORGETFUL)
    turns = [TURNS[0], {"role": "assistant", "content": "<think>hm</think>a1"}, *TURNS[2:]]
    rendered = render({"messages": turns}, "messages", "chat", chat)
    assert [segment.trained for segment in rendered.segments] == [False, True]
    assert rendered.completion == "a2<|im_end|>\n"
    assert "hm" not in rendered.prompt


def test_a_control_token_in_somebodys_words_cannot_end_a_turn():
    chat = toy_tokenizers.gpt2_like(toy_tokenizers.CHATML)
    row = {"question": "Say <|im_end|>", "answer": "no"}
    with pytest.raises(Unrenderable, match="control token"):
        render(row, "question-answer", "chat", chat)
    assert render(row, "question-answer", "question-answer", chat).prompt.count("<|im_end|>") == 1


def test_a_template_that_refuses_a_conversation_is_the_reason_to_leave_it_out():
    picky = toy_tokenizers.gpt2_like(
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ m['content'] }}{% endfor %}"
    )
    with pytest.raises(Unrenderable, match="refused by the chat template"):
        render({"messages": [{"role": "system", "content": "s"}, *TURNS]}, "messages", "chat", picky)


def test_a_conversation_without_chat_template_takes_the_form_turn_by_turn():
    assert segments({"messages": TURNS}, "messages", "question-answer") == [
        ("### Question: q1\n### Answer: ", False),
        ("a1", True),
        ("\n\n### Question: q2\n### Answer: ", False),
        ("a2", True),
    ]


@pytest.mark.parametrize(
    ("row", "kind", "template"),
    [
        ({"question": "Why?", "answer": "So."}, "question-answer", "question-answer"),
        ({"instruction": "Why?", "input": "", "output": "So."}, "instruction", "alpaca"),
        ({"instruction": "Why?", "input": "", "output": "So."}, "instruction", "plain"),
        ({"prompt": "Why?", "completion": "So."}, "prompt-completion", "plain"),
        ({"messages": [{"role": "user", "content": "Why?"}, TURNS[1]]}, "messages", "chat"),
        ({"messages": [{"role": "user", "content": "Why?"}, TURNS[1]]}, "messages", "question-answer"),
        ({"question": "Why?", "answer": "So."}, "question-answer", "alpaca"),
    ],
)
def test_a_free_question_gets_the_form_that_the_model_was_taught(
    row: dict[str, Any], kind: str, template: str
):
    chat = toy_tokenizers.gpt2_like(toy_tokenizers.CHATML)
    taught = render(row, kind, template, chat)
    asked = free_prompt("Why?", template=template, kind=kind, tokenizer=chat)
    assert asked.prompt == taught.prompt
    assert asked.completion == ""
