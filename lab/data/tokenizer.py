"""Loading a tokenizer, and what it puts around a text."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import InputError
from lab.models.location import locate
from lab.text import N_

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer
else:
    Tokenizer = Any


def load_tokenizer(source: str, revision: str = "") -> Tokenizer:
    """The tokenizer of a model: `demo`, a folder (never the network), a preset's id or a Hub id.

    Code that a model brings along is never run. Raises InputError when there is no tokenizer that can be
    used.
    """
    from transformers import AutoTokenizer  # takes a second: only who needs a tokenizer pays for it

    place = locate(source)
    logging.getLogger("transformers").setLevel(logging.ERROR)  # its advice is not for who reads the log
    try:
        return AutoTokenizer.from_pretrained(
            place.load_from,
            revision=None if place.path else revision or None,
            local_files_only=place.path is not None,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, ImportError, AttributeError, TypeError) as error:
        raise InputError(
            N_("The tokenizer of {model} cannot be loaded: {why}"),
            where="model.source",
            next=N_("A model needs its tokenizer.json beside it; code that comes with a model is never run."),
            model=source,
            why=str(error).strip().split("\n")[0][:200],
        ) from None


_WORDS = ("the", "The", "b", "I", "is", "a", "de", "import")  # a small vocabulary may lack some with a blank


@dataclass(frozen=True)
class Frame:
    """What a tokenizer does at the edges of a text.

    `before` are the ids that it puts before every text (BOS, for a Llama; nothing, for GPT-2), `end` is the
    id of its end token. `keeps_blank` tells whether a blank at the end of a prompt stays a token of its own
    when a word follows; where it does not, the blank belongs to the word, and so to the answer.
    """

    before: tuple[int, ...]
    end: int
    keeps_blank: bool


def frame_of(tokenizer: Tokenizer) -> Frame:
    """The frame of a tokenizer. Raises InputError for one without an end token."""
    if tokenizer.eos_token_id is None:
        raise InputError(
            N_("The tokenizer names no end token, so that a model could not learn to stop."),
            where="model.source",
            next=N_("Add an eos_token to the model's tokenizer_config.json, or choose another model."),
        )
    bare = tokenizer("a b", add_special_tokens=False)["input_ids"]
    framed = tokenizer("a b")["input_ids"]
    start = next((i for i in range(len(framed)) if framed[i : i + len(bare)] == bare), 0)
    return Frame(tuple(framed[:start]), int(tokenizer.eos_token_id), _keeps_blank(tokenizer))


def _keeps_blank(tokenizer: Tokenizer) -> bool:
    prompt, *longer = tokenizer(["a " + word for word in ("", *_WORDS)], add_special_tokens=False)[
        "input_ids"
    ]
    return all(ids[: len(prompt)] == prompt for ids in longer)
