"""Conversations through the chat template of a tokenizer, with only the assistant's words trained."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import TemplateError

from lab.data.rendered import CONTROL_TOKEN, TEMPLATE_REFUSES, Segment, Unrenderable
from lab.data.tokenizer import Tokenizer


def chat_segments(turns: list[dict[str, str]], tokenizer: Tokenizer | None) -> tuple[Segment, ...]:
    """The segments of a conversation that ends with the assistant.

    What an assistant's turn adds to the text is trained: the text up to and with the turn, less the text
    before it with the generation prompt. Where a template rewrites earlier turns (reasoning that is taken
    out, for instance) only the last answer is trained, in the text as a whole. Raises Unrenderable.
    """
    if tokenizer is None:
        raise ValueError("a chat template needs a tokenizer")
    _refuse_control_tokens(turns, tokenizer)
    return _every_answer(turns, tokenizer) or _last_answer(turns, tokenizer)


def free_chat_prompt(question: str, tokenizer: Tokenizer) -> str:
    """A single question as the text that the model is given."""
    return _text([{"role": "user", "content": question}], tokenizer, ask=True)


def _every_answer(turns: list[dict[str, str]], tokenizer: Tokenizer) -> tuple[Segment, ...]:
    whole = _text(turns, tokenizer)
    segments: list[Segment] = []
    done = 0
    for index, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        before = _text(turns[:index], tokenizer, ask=True)
        upto = _text(turns[: index + 1], tokenizer)
        if not (whole.startswith(upto) and upto.startswith(before) and len(before) >= done):
            return ()
        segments += [Segment(before[done:], False), Segment(upto[len(before) :], True)]
        done = len(upto)
    return tuple(segments)


def _last_answer(turns: list[dict[str, str]], tokenizer: Tokenizer) -> tuple[Segment, ...]:
    before, whole = _text(turns[:-1], tokenizer, ask=True), _text(turns, tokenizer)
    if not whole.startswith(before):
        raise Unrenderable(TEMPLATE_REFUSES)
    return Segment(before, False), Segment(whole[len(before) :], True)


def _text(turns: list[dict[str, str]], tokenizer: Tokenizer, *, ask: bool = False) -> str:
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask))
    except (TemplateError, ValueError, TypeError, KeyError):
        # A template says so itself: a role that it does not know, two questions in a row, ...
        raise Unrenderable(TEMPLATE_REFUSES) from None


def _refuse_control_tokens(turns: list[dict[str, str]], tokenizer: Tokenizer) -> None:
    # In a chat template's text they would be read as the end of a turn, not as what somebody wrote.
    for turn in turns:
        if any(token in turn["content"] for token in _control_tokens(tokenizer)):
            raise Unrenderable(CONTROL_TOKEN)


@lru_cache(maxsize=4)
def _control_tokens(tokenizer: Tokenizer) -> frozenset[str]:
    added = (str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
    return frozenset(added) | frozenset(tokenizer.all_special_tokens)
