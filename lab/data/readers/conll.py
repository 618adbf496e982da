"""CoNLL: a word and its tags on each line, a blank line between sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from lab.data import limits
from lab.data.files import File, Text
from lab.data.readers.delimited import too_many_rows
from lab.data.readers.pieces import pieces
from lab.data.table import Table
from lab.data.tags import is_tag, scheme_of
from lab.errors import InputError
from lab.text import N_

_SAMPLED = 2000  # lines
_NARROWEST, _WIDEST = 2, 10  # columns: the four of CoNLL-2003, the ten of CoNLL-U
_UPOS = 3  # the column of the part of speech in CoNLL-U
_DOCUMENT = "-DOCSTART-"
Line = tuple[int, list[str]]


def looks_like_conll(file: File) -> bool:
    """Whether a text file has a word and a tag on each of its first lines."""
    if not isinstance(file, Text):
        return False
    try:
        lines = [line for line in islice(pieces(file), _SAMPLED) if _counts(line)]
    except InputError:
        return False
    tabs = any("\t" in line for line in lines)
    cells = [_cells(line, tabs) for line in lines]
    widths = {len(row) for row in cells}
    if len(cells) < 2 or len(widths) != 1 or widths == {1}:
        return False
    tags = [row[-1] for row in cells]
    return all(map(is_tag, tags)) and any(tag != "O" for tag in tags)


def read_conll(text: Text) -> Table:
    """The sentences of a CoNLL file: columns `tokens`, `tags`, and the lists of what stands between, `column_2`...

    Columns stand between tabs or blanks; comments ("# ...", CoNLL-U) and -DOCSTART- are skipped; a column of
    running numbers before the words too. Tags stay as they are here. Raises InputError for a line with another
    number of columns.
    """
    sample = [line for line in islice(pieces(text), _SAMPLED) if _counts(line)]
    if not sample:
        raise text.refusal(N_("{name} has no content."), next=N_("Choose a file with rows."), name=text.name)
    tabs = any("\t" in line for line in sample)
    rows = [_cells(line, tabs) for line in sample]
    word = 1 if len(rows[0]) > _NARROWEST and all(_is_number(row[0]) for row in rows) else 0
    table = Table("conll", text.encoding, iter(()), delimiter="\t" if tabs else " ")
    names = _names(rows, word)
    table.columns = sorted((name for name in names if name), key=["tokens", "tags"].__contains__, reverse=True)
    table.rows = _rows(text, _sentences(text, tabs), names)
    scheme = scheme_of(_tags_of(rows, names))
    if not scheme:
        table.tell(N_("The tags mark no entities (O, B-, I-); they are kept as they stand."), None)
    return table


def _tags_of(rows: list[list[str]], names: Sequence[str]) -> list[list[str]]:
    at = names.index("tags")
    return [[row[at] for row in rows if len(row) == len(names)]]


def _counts(line: str) -> bool:
    bare = line.strip()
    return bool(bare) and not _is_comment(bare) and not bare.startswith(_DOCUMENT)


def _is_comment(line: str) -> bool:
    """Comments of CoNLL-U: "# text = ...". A word "#" or "#tag" has its own columns behind a tab or tag."""
    return line == "#" or (line.startswith(("# ", "#\u00a0")) and not is_tag(line.split()[-1]))


def _cells(line: str, tabs: bool) -> list[str]:
    return line.rstrip("\r\n").split("\t") if tabs else line.split()


def _is_number(cell: str) -> bool:
    return cell.replace("-", "").replace(".", "").isdigit()


def _names(rows: list[list[str]], word: int) -> list[str]:
    """The name of each column; "" for the running numbers."""
    width = len(rows[0])
    last = width - 1 if width < _WIDEST or all(is_tag(row[-1]) for row in rows if len(row) == width) else _UPOS
    names = [f"column_{i}" for i in range(1, width + 1)]
    names[word], names[last] = "tokens", "tags"
    return ["" if at < word else name for at, name in enumerate(names)]


def _sentences(text: Text, tabs: bool) -> Iterator[list[Line]]:
    sentence: list[Line] = []
    for number, line in enumerate(pieces(text), 1):
        bare = line.strip()
        if not bare or bare.startswith(_DOCUMENT):
            if sentence:
                yield sentence
                sentence = []
        elif not _is_comment(bare) or (tabs and "\t" in line):
            sentence.append((number, _cells(line, tabs)))
    if sentence:
        yield sentence


def _rows(
    text: Text, sentences: Iterator[list[Line]], names: Sequence[str]
) -> Iterator[tuple[int, dict[str, list[str]]]]:
    width, kept = len(names), [(at, name) for at, name in enumerate(names) if name]
    if not _NARROWEST <= width <= _WIDEST:
        raise _one_column(text)
    for count, sentence in enumerate(sentences, 1):
        first = sentence[0][0]
        if count > limits.ROWS:
            raise too_many_rows(text, first)
        if len(sentence) > limits.SENTENCE_WORDS:
            raise _too_long(text, first)
        for number, cells in sentence:
            if len(cells) != width:
                raise _ragged(text, number, len(cells), width)
        yield first, {name: [cells[at] for _, cells in sentence] for at, name in kept}


def _one_column(text: Text) -> InputError:
    return text.refusal(
        N_("{name} does not hold a word and its tag on each line."),
        allowed=N_("Expected: 2 to 10 columns between tabs or blanks, the tag last, a blank line between sentences."),
        next=N_("If it is plain text, give it the suffix .txt."),
        name=text.name,
    )


def _too_long(text: Text, line: int) -> InputError:
    return text.refusal(
        N_("The sentence that begins on line {line} has more than {limit:,} words."),
        line,
        next=N_("Put a blank line between sentences."),
        limit=limits.SENTENCE_WORDS,
    )


def _ragged(text: Text, line: int, cells: int, columns: int) -> InputError:
    return text.refusal(
        N_("Line {line} has {cells} columns, but the lines before have {columns}."),
        line,
        allowed=N_("A word and its tags stand on one line, a blank line between sentences."),
        next=N_("Correct this line; the lab does not skip it."),
        cells=cells,
        columns=columns,
    )
