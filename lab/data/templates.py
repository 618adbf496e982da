"""The text around question and answer: the forms in presets/templates, and a tokenizer's chat template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from lab.data.chat import chat_segments, free_chat_prompt
from lab.data.rendered import Rendered, Segment
from lab.data.tokenizer import Tokenizer
from lab.errors import InputError
from lab.presets import presets_dir
from lab.text import N_

NAMES = ("alpaca", "question-answer", "chat", "plain")
_BY_KIND = {"instruction": "alpaca", "question-answer": "question-answer", "messages": "question-answer"}


@dataclass(frozen=True)
class Form:
    """One form of a template: used for rows of `kind` (any, if empty) whose field `needs` (if named) is not
    empty.
    """

    prompt: str
    completion: str
    kind: str = ""
    needs: str = ""


@cache
def forms(name: str) -> tuple[Form, ...]:
    """The forms of a template, the first that fits a row is used; none for the tokenizer's own."""
    document = yaml.safe_load((presets_dir() / "templates" / f"{name}.yaml").read_text(encoding="utf-8"))
    return tuple(Form(**form) for form in document.get("forms", ()))


def choose(template: str, kind: str, tokenizer: Tokenizer) -> str:
    """The template that `auto` means: the model's chat template if it has one, else the usual one for the
    kind.

    A text or a prompt-completion row is already in its final form and stays plain. Raises InputError when
    `chat` is asked of a tokenizer without chat template.
    """
    has_chat = bool(getattr(tokenizer, "chat_template", None))
    if template == "chat" and not has_chat:
        raise InputError(
            N_("The tokenizer of this model has no chat template."),
            where="data.template",
            allowed=N_("Allowed for this model: auto, alpaca, question-answer, plain."),
            next=N_("Choose auto, or a model that was made for chat."),
        )
    if template != "auto":
        return template
    if kind in ("text", "prompt-completion"):
        return "plain"
    return "chat" if has_chat else _BY_KIND.get(kind, "plain")


def render(row: Mapping[str, Any], kind: str, template: str, tokenizer: Tokenizer | None = None) -> Rendered:
    """One canonical row (see `lab.data.kinds`) in a template's form.

    `template` is not `auto`: see `choose`. Raises `Unrenderable`, with its reason, for a row that has to be
    dropped.
    """
    if kind == "text":
        return Rendered((Segment(row["text"], True),), "", row["text"])
    if template != "chat" and kind != "messages":
        values = fields(row, kind)
        prompt, completion = _filled(template, kind, values)
        return Rendered((Segment(prompt, False), Segment(completion, True)), _asked(values), values["answer"])
    turns = as_messages(row, kind)
    question, reference = last_exchange(turns)
    if template == "chat":
        return Rendered(chat_segments(turns, tokenizer), question, reference, own_specials=True)
    return Rendered(_turn_by_turn(turns, template), question, reference)


def free_prompt(question: str, *, template: str, kind: str, tokenizer: Tokenizer) -> Rendered:
    """A question that somebody types, in the form that the model was taught; `completion` is empty."""
    if kind == "text":
        return Rendered((Segment(question, False),), question, "")
    if template == "chat":
        return Rendered((Segment(free_chat_prompt(question, tokenizer), False),), question, "", own_specials=True)
    row_kind = "question-answer" if kind == "messages" else kind
    if row_kind == "preference":  # its prompts stand as they are, or are conversations
        row_kind = "prompt-completion" if template == "plain" else "question-answer"
    names = {"instruction": "instruction", "question-answer": "question", "prompt-completion": "prompt"}
    prompt, _ = _filled(template, row_kind, fields({names[row_kind]: question}, row_kind))
    return Rendered((Segment(prompt, False),), question, "")


def fields(row: Mapping[str, Any], kind: str) -> dict[str, str]:
    """The values that a form may name, whatever the kind of the row: its question and answer under all their
    names.
    """
    if kind == "instruction":
        instruction, extra, answer = row.get("instruction", ""), row.get("input", ""), row.get("output", "")
        question, context = f"{instruction}\n\n{extra}" if extra else instruction, ""
    elif kind == "question-answer":
        question, extra, answer = row.get("question", ""), row.get("context", ""), row.get("answer", "")
        instruction, context = question, extra
    else:
        instruction = question = row.get("prompt", "")
        extra, context, answer = "", "", row.get("completion", "")
    return {
        "instruction": instruction,
        "input": extra,
        "question": question,
        "context": context,
        "prompt": question,
        "output": answer,
        "answer": answer,
        "completion": answer,
    }


def as_messages(row: Mapping[str, Any], kind: str) -> list[dict[str, str]]:
    """A row of any kind with an answer as a conversation."""
    if kind == "messages":
        return list(row["messages"])
    values = fields(row, kind)
    return [{"role": "user", "content": _asked(values)}, {"role": "assistant", "content": values["answer"]}]


def whole_text(row: Mapping[str, Any], kind: str, template: str, tokenizer: Tokenizer | None = None) -> str:
    """The segments of the rendered row as one text. Raises `Unrenderable`."""
    if template == "chat" or kind in ("messages", "text"):
        return "".join(segment.text for segment in render(row, kind, template, tokenizer).segments)
    return "".join(_filled(template, kind, fields(row, kind)))


def last_exchange(turns: list[dict[str, str]]) -> tuple[str, str]:
    """What was last asked and what was answered: (question, reference)."""
    asked = [turn["content"] for turn in turns[:-1] if turn["role"] != "assistant"]
    return (asked[-1] if asked else ""), turns[-1]["content"]


def _asked(values: Mapping[str, str]) -> str:
    return f"{values['context']}\n\n{values['question']}" if values["context"] else values["question"]


def _filled(template: str, kind: str, values: dict[str, str]) -> tuple[str, str]:
    for form in forms(template):
        if form.kind in ("", kind) and (not form.needs or values[form.needs]):
            return form.prompt.format(**values), form.completion.format(**values)
    raise AssertionError(f"the template {template} has no form for every row")


def _turn_by_turn(turns: list[dict[str, str]], template: str) -> tuple[Segment, ...]:
    """A conversation for a model without chat template: each exchange in the template's form, a blank line
    between.
    """
    segments: list[Segment] = []
    asked: list[str] = []
    for turn in turns:
        if turn["role"] != "assistant":
            asked.append(turn["content"])
            continue
        row = {"question": "\n\n".join(asked), "answer": turn["content"]}
        prompt, completion = _filled(template, "question-answer", fields(row, "question-answer"))
        between = "\n\n" if segments else ""
        segments += [Segment(between + prompt, False), Segment(completion, True)]
        asked = []
    return tuple(segments)
