"""Loading a tokenizer, and what it puts around a text."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.data.words import words_of
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


class Texts:
    """Texts to ids, without anything put around them, as fast as the tokenizer can.

    A tokenizer of the `tokenizers` library is called without the layer above it, which makes lists that nobody
    reads, and only for texts whose words are not remembered (`lab.data.words`); several threads may call at once, as
    long as they agree about `split_specials`.
    """

    CACHE = 100_000  # words whose tokens are remembered; the library's own 10,000 are few for a large data set

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.backend = getattr(tokenizer, "backend_tokenizer", None)
        self.words = None
        if self.backend is None:
            return
        self.backend.no_truncation()
        self.backend.no_padding()
        self.words = words_of(self.backend)
        if hasattr(self.backend.model, "_resize_cache"):
            self.backend.model._resize_cache(self.CACHE)

    @property
    def threads_help(self) -> bool:
        """Whether several threads are faster than one: the library lets them run beside each other, words do not."""
        return self.backend is not None and self.words is None

    def ids(self, texts: list[str], *, split_specials: bool) -> list[list[int]]:
        """The ids of each text; with `split_specials` a control token in it is plain characters."""
        if self.backend is None:
            found = self.tokenizer(texts, add_special_tokens=False, split_special_tokens=split_specials, verbose=False)
            return list(found["input_ids"])
        if self.backend.encode_special_tokens != split_specials:
            self.backend.encode_special_tokens = split_specials
        words = self.words if split_specials else None
        if words is None:
            return [one.ids for one in self.backend.encode_batch_fast(texts, add_special_tokens=False)]
        known = [words.knows(text) for text in texts]
        others = [text for text, is_known in zip(texts, known, strict=True) if not is_known]
        encoded = iter(self.backend.encode_batch_fast(others, add_special_tokens=False) if others else ())
        pairs = zip(texts, known, strict=True)
        return [words.ids(text) if is_known else next(encoded).ids for text, is_known in pairs]


def fingerprint_of(tokenizer: Tokenizer) -> str:
    """sha256 of what decides over ids: vocabulary, merges, splitting, added tokens, chat template, end token.

    The same tokenizer has the same fingerprint wherever it was loaded from.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        told: dict[str, Any] = {"vocabulary": tokenizer.get_vocab()}
    else:
        told = {name: value for name, value in json.loads(backend.to_str()).items() if name not in _PASSING}
    told |= {"chat_template": getattr(tokenizer, "chat_template", None), "end": tokenizer.eos_token_id}
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


_PASSING = ("truncation", "padding", "version")  # what the last call asked for, and how the file is written
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
            allowed=N_("A tokenizer with an eos_token."),
            next=N_("Add an eos_token to the model's tokenizer_config.json, or choose another model."),
        )
    bare = tokenizer("a b", add_special_tokens=False)["input_ids"]
    framed = tokenizer("a b")["input_ids"]
    start = next((i for i in range(len(framed)) if framed[i : i + len(bare)] == bare), 0)
    return Frame(tuple(framed[:start]), int(tokenizer.eos_token_id), _keeps_blank(tokenizer))


def _keeps_blank(tokenizer: Tokenizer) -> bool:
    prompt, *longer = tokenizer(["a " + word for word in ("", *_WORDS)], add_special_tokens=False)["input_ids"]
    return all(ids[: len(prompt)] == prompt for ids in longer)
