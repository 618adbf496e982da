"""The manual that the demo model reads: each entry in many styles, laid out anew at each reading."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from lab.training.demo_corpus import Entry

START, END, PAD = "<|start|>", "<|end|>", "<|pad|>"
VOCABULARY = 4096
ROW_TOKENS = 128
# What leads to a sentence counts little in the loss: which name comes next on a page is chance,
# and trying to guess it only adds noise. A little keeps the model able to write such pages itself.
LEAD_WEIGHT = 0.1
FULL_PAGE_SHARE = 0.2  # of the rows
LOOK_AHEAD = 16  # entries tried for the room left in a row

# Manual styles, never a question. Several, with different words between the name and the sentence:
# what was read in one fixed shape is remembered as that shape and can hardly be asked for.
STYLES = (
    "{name} -- {sentence}",
    "{name} : {sentence}",
    "{name}{signature}\n    {sentence}",
    "Help on {kind} {name} in module {module}:\n    {sentence}",
    "{kind} {name} \nSummary: {sentence}",
    "* {name} [{kind}] {sentence}",
    "See also {name} of the module {module}. {sentence}",
    "Entry {name} \nSection {module} \nText: {sentence}",
    "In the manual under {name} we read: {sentence}",
    "## {name} \n{sentence}",
)
FULL_PAGE = "{name}{signature}\n\n{sentence} {rest}\n"


def lead_and_sentence(entry: Entry, style: str) -> tuple[str, str]:
    """An entry written in one style, split where its sentence begins."""
    lead, _, tail = style.partition("{sentence}")
    fields = {**vars(entry), "rest": entry.rest or f"Defined in the module {entry.module}."}
    return lead.format(**fields), entry.sentence + tail.format(**fields)


def train_tokenizer(entries: list[Entry]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 4,096 entries, trained on the pages."""
    bpe = Tokenizer(models.BPE())
    # A blank stays with the word before it. So a name is the same tokens at the start of a line and
    # inside a question, and "Answer: " + text is tokenized alike in one piece or in two.
    words = pre_tokenizers.Split(Regex(r"\w+ ?|[^\w\s]+ ?|\s+"), "isolated")
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([words, as_bytes])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[START, END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    styles = (*STYLES[:3], FULL_PAGE)
    bpe.train_from_iterator(("".join(lead_and_sentence(e, s)) for e in entries for s in styles), trainer)
    bpe.post_processor = processors.TemplateProcessing(single=f"{START} $A", special_tokens=[(START, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )


Piece = tuple[list[int], list[float]]  # token ids, and the weight of each in the loss


@dataclass
class Batch:
    """Rows of token ids and the weight of each in the loss, both of shape (rows, ROW_TOKENS)."""

    ids: torch.Tensor
    weights: torch.Tensor
    tokens: int  # without padding


class Manual:
    """All entries in all styles as token ids; `readings` lays them out in random pages, for ever."""

    def __init__(self, entries: list[Entry], tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self._tokenizer = tokenizer
        self._random = random.Random(seed)
        self._listed = [[self._piece(e, style + "\n") for style in STYLES] for e in entries]
        self._full = [self._piece(e, FULL_PAGE + "\n") for e in entries]

    def _piece(self, entry: Entry, style: str) -> Piece:
        lead, sentence = (self._tokens(text) for text in lead_and_sentence(entry, style))
        return lead + sentence, [LEAD_WEIGHT] * len(lead) + [1.0] * len(sentence)

    def _tokens(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]

    def _rows_of_one_reading(self) -> list[Piece]:
        """Every entry once, in pages of one style each; none longer than a row."""
        waiting = deque(self._random.sample(range(len(self._listed)), len(self._listed)))
        rows = []
        while waiting:
            style = self._random.randrange(len(STYLES)) if self._random.random() > FULL_PAGE_SHARE else None
            rows.append(self._fill_row(waiting, style))
        self._random.shuffle(rows)
        return rows

    def _fill_row(self, waiting: deque[int], style: int | None) -> Piece:
        """Take entries from the queue until the row is full; one that does not fit waits for a later row."""
        ids: list[int] = []
        weights: list[float] = []
        for _ in range(min(LOOK_AHEAD, len(waiting))):
            entry = waiting.popleft()
            piece = self._full[entry] if style is None else self._listed[entry][style]
            if ids and len(ids) + len(piece[0]) > ROW_TOKENS - 2:
                waiting.append(entry)
                continue
            ids, weights = ids + piece[0], weights + piece[1]
        return ids, weights

    def readings(self, rows_per_batch: int) -> Iterator[tuple[int, Batch]]:
        """(number of the reading, batch), without end; a batch never mixes two readings."""
        reading = 0
        while True:
            rows = self._rows_of_one_reading()
            for k in range(0, len(rows) - rows_per_batch + 1, rows_per_batch):
                yield reading, self._batch(rows[k : k + rows_per_batch])
            reading += 1

    def _batch(self, rows: list[Piece]) -> Batch:
        start, end, pad = (self._tokenizer.convert_tokens_to_ids(t) for t in (START, END, PAD))
        ids = torch.full((len(rows), ROW_TOKENS), pad)
        weights = torch.zeros(len(rows), ROW_TOKENS)
        for i, (row, weight) in enumerate(rows):
            row = [start, *row[: ROW_TOKENS - 2], end]
            ids[i, : len(row)] = torch.tensor(row)
            weights[i, 1 : len(row)] = torch.tensor([*weight[: ROW_TOKENS - 2], 1.0])
        return Batch(ids, weights, int((weights > 0).sum()))
