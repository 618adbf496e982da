"""Small files that are broken, hostile or merely unusual, each with the verdict that the readers owe it.

reads    nothing is worth saying
warns    it is read, and the sentence is among the problems, with the line
refuses  the error has the sentence, and the line in `where`
"""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

HEAD = "question,answer\n"
QA = '{"question": "q", "answer": "a"}\n'
OTHER = '{"question": "r", "answer": "b"}\n'


@dataclass(frozen=True)
class Broken:
    """A file: its name, what makes its content, the verdict, and line and a part of the sentence for it."""

    name: str
    content: str | bytes | Callable[[], bytes]
    verdict: str
    line: int | None = None
    sentence: str = ""

    def bytes(self) -> bytes:
        """Its content."""
        content = self.content() if callable(self.content) else self.content
        return content.encode() if isinstance(content, str) else content


def parquet(table: pa.Table, **how: object) -> bytes:
    """A table as the bytes of a Parquet file."""
    out = io.BytesIO()
    pq.write_table(table, out, **how)
    return out.getvalue()


def sound_parquet() -> bytes:
    """Two rows of question and answer."""
    return parquet(pa.table({"question": ["q1", "q2"], "answer": ["a1", "a2"]}))


def with_image_feature(path: str) -> bytes:
    """A text column whose metadata tells `datasets` to open each value as an image."""
    told = {b"huggingface": b'{"info": {"features": {"text": {"_type": "Image"}}}}'}
    return parquet(pa.table({"text": [path]}, schema=pa.schema([("text", pa.string())], metadata=told)))


def with_image_struct(path: str) -> bytes:
    """The form in which `datasets` itself stores an image that it is to open."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    told = {b"huggingface": b'{"info": {"features": {"text": {"_type": "Image"}}}}'}
    rows = [{"bytes": None, "path": path}]
    return parquet(pa.table({"text": rows}, schema=pa.schema([("text", kind)], metadata=told)))


def with_pickled_type(command: str) -> bytes:
    """An extension type whose pickle would run a command (CVE-2023-47248)."""
    code = b"cposix\nsystem\n(S'" + command.encode() + b"'\ntR."
    told = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": code}
    return parquet(pa.table({"text": ["x"]}, schema=pa.schema([pa.field("text", pa.string(), metadata=told)])))


def with_pandas_index() -> bytes:
    """Metadata of pandas that claims an index of ten thousand million rows."""
    index = {"kind": "range", "name": None, "start": 0, "stop": 9_999_999_999, "step": 1}
    told = {"index_columns": [index], "columns": [], "column_indexes": [], "pandas_version": "9"}
    schema = pa.schema([("text", pa.string())], metadata={b"pandas": json.dumps(told).encode()})
    return parquet(pa.table({"text": ["x"]}, schema=schema))


def _spoilt(change: Callable[[bytearray], None]) -> Callable[[], bytes]:
    def make() -> bytes:
        content = bytearray(sound_parquet())
        change(content)
        return bytes(content)

    return make


def _flip(content: bytearray) -> None:
    content[10] ^= 0xFF
    content[20] ^= 0xFF


def _huge_footer(content: bytearray) -> None:
    content[-8:-4] = struct.pack("<I", 0x7FFFFFFF)


def _garbage_footer(content: bytearray) -> None:
    (size,) = struct.unpack("<I", content[-8:-4])
    content[-8 - size : -8] = random.Random(0).randbytes(size)


def _half(content: bytearray) -> None:
    del content[len(content) // 2 :]


def _many_rows() -> bytes:
    return parquet(pa.table({"text": pa.array(["A"] * 2_000_001).dictionary_encode()}), compression="zstd")


def _long_cells() -> bytes:
    return parquet(pa.table({"text": ["fine", "x" * 1_000_001]}), compression="zstd")


def zipped(members: dict[str, str | bytes], **flags: int) -> bytes:
    """A zip of these members; `flags` may give the external_attr of all."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, flags.get("external_attr", 0o600 << 16)
            archive.writestr(info, content)
    return out.getvalue()


_PAIR = {"pos/1.txt": "good", "neg/1.txt": "bad"}

BROKEN = [
    # tables of text
    Broken("sound.csv", HEAD + "q,a\n", "reads"),
    Broken("mark.csv", b"\xef\xbb\xbf" + HEAD.encode() + b"q,a\n", "reads"),
    Broken("utf16.csv", (HEAD + "q,a\n").encode("utf-16"), "reads"),
    Broken("semicolon.csv", "question;answer\nq;a\n", "reads"),
    Broken("ends.csv", "question,answer\r\nq,a\nr,b\rs,c\r\n", "reads"),
    Broken("numbers.csv", "question,answer\n007,01234567890123456789\n008,1e400\n", "reads"),
    Broken("late_type.csv", HEAD + "1,2\n3,4\noops,3\n", "reads"),
    Broken("escaped_half.csv", HEAD + "\\ud83d,x\n", "reads"),
    Broken("latin1.csv", HEAD.encode() + "café,naïve\n".encode("latin-1"), "refuses", 2, "byte 0xe9 at position 4"),
    Broken("long.csv", HEAD + "q,a\nq,a,b\n", "refuses", 3, "3 cells, but there are 2 columns"),
    Broken("short.csv", "question,answer,tip\nq,a,t\nq,a\n", "refuses", 3, "2 cells, but there are 3 columns"),
    Broken("few.csv", HEAD + "q,a\n" * 200 + "q\n", "warns", 202, "1 row is left out: another number of cells"),
    Broken("cell.csv", HEAD + 'q,"' + "x" * 1_000_001 + '"\n', "refuses", 2, "1,000,000 characters"),
    Broken("nul.csv", HEAD + "q\0r,a\n", "refuses", 2, "NUL"),
    Broken("twice.csv", "answer,answer,question\n1,2,3\n", "refuses", 1, "Two columns are called answer"),
    Broken("empty.csv", "", "refuses", None, "is empty"),
    Broken("blank.csv", "   \n\n  \n", "refuses", None, "has no content"),
    Broken("header.csv", HEAD, "refuses", None, "column names but no rows"),
    Broken("formula.csv", HEAD + "\"=cmd|' /C calc'!A0\",2\n@SUM(1),-1\n", "warns", 2, "2 rows hold a cell that a sp"),
    Broken("unclosed.csv", HEAD + '"q,a\nr,b\n' * 3, "refuses", 2, "quotation mark that is not closed"),
    Broken("words.csv", HEAD + "NA,None\nnull,nan\n", "warns", 2, "2 rows hold a word such as NULL or NA"),
    Broken("missing.csv", HEAD + "q,a\nr,\n", "warns", 3, "nothing in the column answer"),
    Broken("wide.csv", ",".join(f"c{i}" for i in range(20_000)) + "\n", "refuses", 1, "20,000 columns"),
    Broken("noise.csv", random.Random(1).randbytes(5000), "refuses", 1, "not UTF-8 text"),
    # JSON
    Broken("sound.jsonl", QA + OTHER, "reads"),
    Broken("sound.json", f"[{QA}]", "reads"),
    Broken("mark.jsonl", b"\xef\xbb\xbf" + QA.encode(), "reads"),
    Broken("utf16.json", f"[{QA}]".encode("utf-16"), "reads"),
    Broken("big_number.jsonl", '{"question": 123456789012345678901234567890, "answer": 1}\n', "reads"),
    Broken("inside.json", f'{{"version": 1, "data": [{QA}]}}', "reads"),
    Broken("cut.jsonl", QA + '{"question":\n' + QA, "refuses", 2, "Line 2 is not JSON"),
    Broken("torn.jsonl", QA + QA + '{"question": "tru', "refuses", 3, "Line 3 is not JSON"),
    Broken("nan.jsonl", '{"question": NaN, "answer": Infinity}\n', "refuses", 1, "holds NaN"),
    Broken("blank_lines.jsonl", QA + "\n\n" + OTHER, "warns", 2, "2 blank lines are skipped"),
    Broken("sorts.jsonl", QA + '{"question": 1, "answer": "b"}\n', "warns", None, "several sorts: number, text"),
    Broken("list.jsonl", QA + '{"question": [3], "answer": "b"}\n', "refuses", 2, "holds a list where text is"),
    Broken("object.jsonl", QA + '{"question": {"x": 4}, "answer": "b"}\n', "refuses", 2, "holds an object where"),
    Broken("missing_key.jsonl", QA + '{"question": "r"}\n', "warns", 2, "nothing in the column answer"),
    Broken("deep.jsonl", '{"question": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "refuses", 1, "deeper than 64"),
    Broken("keys.jsonl", '{"question": 1, "question": 2}\n', "refuses", 1, "stands twice"),
    Broken("half.jsonl", '{"question": "\\ud800", "answer": "a"}\n', "refuses", 1, "half of a character"),
    Broken("columns.json", json.dumps({"question": [1, 2], "answer": [3, 4]}), "refuses", None, "no list of objects"),
    Broken("scalar.json", "42", "refuses", None, "no list of objects"),
    Broken("scalars.json", "[1, 2, 3]", "refuses", 1, "a number where an object is expected"),
    Broken("empty.json", "", "refuses", None, "is empty"),
    Broken("none.json", "[]", "refuses", None, "empty list"),
    Broken("latin1.jsonl", '{"question": "café"}\n'.encode("latin-1"), "refuses", 1, "byte 0xe9"),
    Broken("comma.json", f"[{QA.strip()},]", "refuses", 1, "not JSON"),
    Broken("digits.jsonl", '{"question": ' + "9" * 5000 + "}\n", "refuses", 1, "too many digits"),
    Broken("long.jsonl", json.dumps({"question": "x" * 1_000_001}) + "\n", "refuses", 1, "1,000,000 characters"),
    Broken("nul.jsonl", b'{"question": "x\x00y", "answer": "a"}\n', "refuses", 1, "NUL"),
    Broken("written_nul.jsonl", QA + '{"question": "\\u0000", "answer": "a"}\n', "refuses", 2, "NUL"),
    # Parquet
    Broken("sound.parquet", sound_parquet, "reads"),
    Broken("cut.parquet", _spoilt(_half), "refuses", None, "not a readable Parquet file"),
    Broken("huge_footer.parquet", _spoilt(_huge_footer), "refuses", None, "not a readable Parquet file"),
    Broken("garbage_footer.parquet", _spoilt(_garbage_footer), "refuses", None, "not a readable Parquet file"),
    Broken("damaged.parquet", _spoilt(_flip), "refuses", 1, "damaged near row 1"),
    Broken("magic_only.parquet", b"PAR1PAR1", "refuses", None, "not a readable Parquet file"),
    Broken("empty.parquet", b"", "refuses", None, "is empty"),
    Broken("table.parquet", HEAD + "q,a\n", "refuses", None, "does not begin as a parquet file"),
    Broken("many.parquet", _many_rows, "refuses", 2_000_001, "more than 2,000,000 rows"),
    Broken("cells.parquet", _long_cells, "refuses", 2, "Row 2: a text has more than 1,000,000 characters"),
    Broken("nul.parquet", lambda: parquet(pa.table({"text": ["a", "b\0c"]})), "refuses", 2, "Row 2 contains a NUL"),
    Broken(
        "binary.parquet",
        lambda: parquet(pa.table({"text": ["a"], "raw": [b"\xff\xfe"]})),
        "warns",
        None,
        "The column raw is left out: its type, binary",
    ),
    Broken(
        "no_rows.parquet",
        lambda: parquet(pa.table({"text": pa.array([], pa.string())})),
        "refuses",
        None,
        "has no rows",
    ),
    Broken("pandas.parquet", with_pandas_index, "reads"),
    Broken("pickle.parquet", lambda: with_pickled_type("true"), "refuses", None, "an extension type"),
    Broken("image.parquet", lambda: with_image_feature("/etc/passwd"), "reads"),
    Broken("struct.parquet", lambda: with_image_struct("/etc/passwd"), "refuses", None, "no column of text or numbers"),
    # plain text
    Broken("sound.txt", "line 1\nline 2\n", "reads"),
    Broken("latin1.txt", "café\n".encode("latin-1"), "refuses", 1, "byte 0xe9"),
    Broken("one_line.txt", lambda: b"x" * 17_000_000, "refuses", 1, "longer than 16,777,216 characters"),
    Broken("long.txt", "x" * 1_000_001 + "\ny", "refuses", 1, "more than 1,000,000 characters"),
    Broken("controls.txt", "a\x0bb\x0cc\x1cd\x1ee\x85f\u2028g\nline 2\n", "reads"),
    Broken("blank.md", "\n \n", "refuses", None, "has no content"),
    # words with tags
    Broken("sound.conll", "A O\nB B-X\n\nC O\n", "reads"),
    Broken("ragged.conll", "A O\nB X Y\n", "refuses", 2, "has 3 columns, but the lines before have 2"),
    Broken("words.conll", "A\nB\n", "refuses", None, "a word and its tag on each line"),
    # archives
    Broken("bomb.csv.gz", lambda: gzip.compress(b"0,0\n" * 500_000), "refuses", None, "gzip archive"),
    Broken("gzip.csv", lambda: gzip.compress(HEAD.encode()), "refuses", None, "gzip archive"),
    Broken("zip.csv", lambda: zipped({"../../evil.csv": HEAD}), "refuses", None, "zip archive"),
    Broken("sound.zip", lambda: zipped(_PAIR), "reads"),
    Broken("slip.zip", lambda: zipped(_PAIR | {"../up/1.txt": "x"}), "refuses", None, "path leads outside"),
    Broken("root.zip", lambda: zipped(_PAIR | {"/etc/x.txt": "x"}), "refuses", None, "path leads outside"),
    Broken("backslash.zip", lambda: zipped(_PAIR | {"a\\..\\x.txt": "x"}), "refuses", None, "path leads outside"),
    Broken("link.zip", lambda: zipped(_PAIR, external_attr=0o120777 << 16), "refuses", None, "holds a link"),
    Broken("ratio.zip", lambda: zipped(_PAIR | {"pos/2.txt": b"0" * 3_000_000}), "refuses", None, "times its size"),
    Broken("hidden.zip", lambda: zipped(_PAIR | {"pos/2.txt": b"\x1f\x8b\x08"}), "refuses", None, "gzip archive"),
    Broken("latin1.zip", lambda: zipped(_PAIR | {"pos/2.txt": b"caf\xe9"}), "refuses", None, "not UTF-8: pos/2.txt"),
    Broken("one.zip", lambda: zipped({"pos/1.txt": "x"}), "refuses", None, "at least two classes"),
    Broken("table.zip", lambda: zipped({"data.csv": HEAD + "q,a\n"}), "refuses", None, "at least two classes"),
    Broken("readme.zip", lambda: zipped(_PAIR | {"README": "x"}), "warns", None, "1 file is no text"),
    Broken("cut.zip", lambda: zipped(_PAIR)[:-30], "refuses", None, "not a readable zip file"),
]
