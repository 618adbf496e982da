"""Rendered rows as token ids and labels: BOS once, EOS once and trained, the prompt out of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.data.example import IGNORED, Example
from lab.data.rendered import EMPTY_ANSWER, QUESTION_TOO_LONG, TOO_LONG, Rendered, Segment
from lab.data.tokenizer import Frame, Texts, Tokenizer, frame_of

OPENING = 32  # a plain text is continued from its first quarter, at most this many tokens

_LEADS = ("\n", ":", "0", "é")  # texts to try a continuation behind: one of them joins with no text


@dataclass(frozen=True, slots=True)
class Encoded:
    """Ids and labels of one row.

    `n_prompt` ids stand before the last trained segment, which is the one with index `segment`; `length` is
    the number of tokens before the row was cut to the maximum.
    """

    input_ids: list[int]
    labels: list[int]
    n_prompt: int
    segment: int
    length: int

    @property
    def cut(self) -> bool:
        """Whether its end is missing."""
        return self.length > len(self.input_ids)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that is left out: why (one of `lab.data.rendered.REASONS`), and its length in tokens if it was
    measured.
    """

    reason: str
    length: int = 0


def encode(
    rendered: Rendered,
    tokenizer: Tokenizer,
    *,
    max_length: int,
    completion_only: bool = True,
    too_long: str = "drop",
) -> Encoded | Dropped:
    """One row as ids and labels: see `Encoder`."""
    encoder = Encoder(tokenizer, max_length=max_length, completion_only=completion_only, too_long=too_long)
    return encoder.encode_all([rendered])[0]


class Encoder:
    """Encodes rows of one template for one tokenizer.

    A prompt gets what the tokenizer usually puts before a text, exactly once; the answer ends with the end
    token, exactly once and trained. The ids of a prompt at generation are a prefix of its ids in training.
    With `completion_only` False every token after BOS is trained.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, max_length: int, completion_only: bool = True, too_long: str = "drop"
    ) -> None:
        self.tokenizer = tokenizer
        self.texts = Texts(tokenizer)
        self.max_length = max_length
        self.completion_only = completion_only
        self.too_long = too_long

    @cached_property
    def frame(self) -> Frame:
        """The edges of a text; asked for only where answers are trained: an encoder's tokenizer has no end token."""
        return frame_of(self.tokenizer)

    def prompt_ids(self, prompt: Rendered) -> list[int]:
        """The ids of a free prompt (see `lab.data.templates.free_prompt`), to generate from."""
        segments = self.settled(prompt)
        text = "".join(segment.text for segment in segments if not segment.trained)
        return self.before(prompt) + self._ids([text], prompt.own_specials)[0]

    def encode_all(self, rows: Sequence[Rendered]) -> list[Encoded | Dropped]:
        """Ids and labels of every row, or why it is left out. All rows are of one template."""
        if not rows:
            return []
        settled = [self.settled(row) for row in rows]
        texts = [text for segments in settled for text in _growing(segments)]
        ids = iter(self._ids(texts, rows[0].own_specials))
        return [
            self._joined(row, segments, [next(ids) for _ in segments])
            for row, segments in zip(rows, settled, strict=True)
        ]

    def example(self, row: Rendered, encoded: Encoded) -> Example:
        """The example that a training takes."""
        segments = self.settled(row)
        ids = encoded.input_ids
        prompt = "".join(segment.text for segment in segments[: encoded.segment])
        completion, reference, question = segments[encoded.segment].text, row.reference, row.question
        if encoded.segment == 0:  # plain text: its opening is the prompt
            start = len(self.before(row))
            prompt = question = self._decoded(ids[start : encoded.n_prompt])
            completion = reference = row.reference[len(prompt) :]
        return Example(prompt, completion, question, reference, ids, encoded.labels, encoded.n_prompt)

    def _joined(self, row: Rendered, segments: tuple[Segment, ...], growing: list[list[int]]) -> Encoded | Dropped:
        """Put the ids of a row together; `growing` holds the ids of its text up to the end of each segment.

        Where the tokens of the longer text begin with those of the shorter one, they are taken as they are;
        else (a token would span the border) the segment is encoded on its own, as the model will have to
        continue it.
        """
        if not row.reference.strip():
            return Dropped(EMPTY_ANSWER)
        before = self.before(row)
        ids: list[int] = []
        labels = [IGNORED] * len(before)
        starts: list[tuple[int, int]] = []
        for index, (segment, whole) in enumerate(zip(segments, growing, strict=True)):
            fits = whole[: len(ids)] == ids
            new = whole[len(ids) :] if fits else self._continuation(segment.text, row.own_specials)
            if segment.trained:
                starts.append((len(before) + len(ids), index))
                if index == len(segments) - 1 and self.frame.end not in new:
                    new = [*new, self.frame.end]
            ids += new
            labels += new if segment.trained or not self.completion_only else [IGNORED] * len(new)
        return self._fitted(before + ids, labels, starts)

    def _fitted(self, ids: list[int], labels: list[int], starts: list[tuple[int, int]]) -> Encoded | Dropped:
        length = len(ids)
        if length > self.max_length:
            if self.too_long == "drop":
                return Dropped(TOO_LONG, length)
            ids, labels = ids[: self.max_length], labels[: self.max_length]
            starts = [start for start in starts if start[0] < self.max_length]
            if not starts:
                return Dropped(QUESTION_TOO_LONG, length)
        n_prompt, segment = starts[-1]
        if segment == 0:
            n_prompt = max(n_prompt, min(OPENING, len(ids) // 4), 1)
        return Encoded(ids, labels, n_prompt, segment, length)

    def settled(self, row: Rendered) -> tuple[Segment, ...]:
        """The segments with a blank before an answer given to the answer, for a tokenizer that joins them.

        GPT-2 and Llama write " Paris" as one token; a prompt that ends with a blank would force a rare pair
        of tokens.
        """
        if row.own_specials or self.frame.keeps_blank:
            return row.segments
        settled: list[Segment] = []
        for segment in row.segments:
            before = settled[-1] if settled else segment
            if segment.trained and not before.trained and before.text.endswith(" "):
                settled[-1] = Segment(before.text[:-1], False)
                segment = Segment(" " + segment.text, True)
            settled.append(segment)
        if not settled[-1].trained:  # a free prompt: the answer will bring its blank
            settled[-1] = Segment(settled[-1].text.removesuffix(" "), False)
        return tuple(settled)

    def before(self, row: Rendered) -> list[int]:
        """The ids in front of its text."""
        return [] if row.own_specials else list(self.frame.before)

    def _ids(self, texts: list[str], own_specials: bool) -> list[list[int]]:
        # Without own specials "</s>" in somebody's text is five characters, not the end of the answer.
        return self.texts.ids(texts, split_specials=not own_specials)

    def _continuation(self, text: str, own_specials: bool) -> list[int]:
        # Behind another text a tokenizer that puts a blank before every text (SentencePiece) puts none.
        bare, *joined = self._ids([text, *(lead + text for lead in _LEADS)], own_specials)
        for lead, whole in zip(self._ids(list(_LEADS), own_specials), joined, strict=True):
            if whole[: len(lead)] == lead:
                return whole[len(lead) :]
        return bare

    def _decoded(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def _growing(segments: Sequence[Segment]) -> list[str]:
    return ["".join(segment.text for segment in segments[: end + 1]) for end in range(len(segments))]
