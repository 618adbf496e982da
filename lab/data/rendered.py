"""A row as text: which parts are the prompt, which are trained."""

from __future__ import annotations

from dataclasses import dataclass

from lab.text import N_

# Why a row is left out; the keys of `dropped` in the report, translated where they are drawn.
EMPTY_ANSWER = N_("empty answer")
EMPTY_QUESTION = N_("empty question")
EMPTY_TEXT = N_("empty text")
EMPTY_LABEL = N_("empty label")
DUPLICATE = N_("duplicate")
TOO_LONG = N_("too long")
QUESTION_TOO_LONG = N_("question too long")
NO_ASSISTANT = N_("no assistant turn")
UNKNOWN_ROLE = N_("unknown role")
NOT_MESSAGES = N_("not a list of messages of text")
OTHER_WIDTH = N_("another number of cells than there are columns")
TAGS_DIFFER = N_("another number of tags than words")
NOT_WORDS = N_("not a list of words with a tag each")
NOT_IN_CONTEXT = N_("answer not at its place in the context")
NO_ANSWER = N_("no answer, and not marked as impossible")
SAME_ANSWERS = N_("both answers are the same")
NOT_A_PAIR = N_("no two answers to one question")
CONTROL_TOKEN = N_("contains a control token of the model")
TEMPLATE_REFUSES = N_("refused by the chat template")
REASONS = (
    EMPTY_ANSWER,
    EMPTY_QUESTION,
    EMPTY_TEXT,
    EMPTY_LABEL,
    DUPLICATE,
    TOO_LONG,
    QUESTION_TOO_LONG,
    NO_ASSISTANT,
    UNKNOWN_ROLE,
    NOT_MESSAGES,
    OTHER_WIDTH,
    TAGS_DIFFER,
    NOT_WORDS,
    NOT_IN_CONTEXT,
    NO_ANSWER,
    SAME_ANSWERS,
    NOT_A_PAIR,
    CONTROL_TOKEN,
    TEMPLATE_REFUSES,
)


class Unrenderable(Exception):
    """A row has to be left out; `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text that is trained, or not, as a whole."""

    text: str
    trained: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """A row as the model sees it: its segments in order; the last one is trained.

    `question` and `reference` are what a person reads. `own_specials` says that the text carries its own
    control tokens (a chat template); otherwise every character is plain text, even if it looks like a control
    token.
    """

    segments: tuple[Segment, ...]
    question: str
    reference: str
    own_specials: bool = False

    @property
    def prompt(self) -> str:
        """All text before the last trained segment."""
        last = len(self.segments) - self.segments[-1].trained
        return "".join(segment.text for segment in self.segments[:last])

    @property
    def completion(self) -> str:
        """The last trained segment."""
        return self.segments[-1].text if self.segments[-1].trained else ""
