"""Tokenizers of models with a head, which need padding but no end token."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

from lab.data.tokenizer import load_tokenizer
from lab.errors import InputError
from lab.models.location import locate
from lab.text import N_


def task_tokenizer(source: str, revision: str = "", *, needs_places: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, padding on the right; one without a padding token gets an existing token for it.

    `needs_places` asks for one that tells where in the text each token is. Raises InputError.
    """
    tokenizer = load_tokenizer(locate(source).load_from, revision)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token or tokenizer.bos_token
    if tokenizer.pad_token_id is None:
        raise InputError(
            N_("The tokenizer has no token that could serve as padding."),
            where="model.source",
            next=N_("Add a pad_token to the model's tokenizer_config.json."),
        )
    if needs_places and not tokenizer.is_fast:
        raise InputError(
            N_("The tokenizer does not tell where in the text its tokens are, which this task needs."),
            where="model.source",
            next=N_("Choose a model with a tokenizer.json."),
        )
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    return tokenizer
