"""The demo's text: short manual entries, and questions about them, from the standard library's docstrings.

The corpus is a pure function of the interpreter's standard library and `SEED`: nothing is downloaded.
`fingerprint` says whether two machines built the same one.
"""

import contextlib
import hashlib
import importlib
import inspect
import io
import json
import pkgutil
import random
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

SEED = 42
HELD_OUT_ONE_IN = 6
SENTENCE_CHARS = (20, 120)
# Code, markup, links, questions and notes to the authors.
NOT_PROSE = r"::|>>>|--|->|==|\?$|https?:|[|<>{}\\]|\b(XXX|TODO|Deprecated|Python [23])\b"
PROMPT = "### Question: {question}\n### Answer: "

# Left out: tests and demonstrations, vendored or deprecated trees, tables of code pages, the platform
# twins of `os` and `os.path`, and what opens a window, a browser or a socket when imported.
SKIPPED = frozenset({
    "antigravity", "this", "idlelib", "lib2to3", "test", "turtledemo", "turtle", "tkinter",
    "pip", "distutils", "ensurepip", "encodings", "pydoc_data", "msilib",
    "posix", "posixpath", "nt", "ntpath", "nturl2path", "genericpath",
    "opcode", "sre_compile", "sre_parse", "sre_constants",
})  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One documented name: what it is called, what it is, and what its documentation says first."""

    name: str
    kind: str  # "module", "class", "function" or "method"
    signature: str
    sentence: str
    rest: str  # the documentation after the sentence, one line, at most 160 characters
    module: str
    held_out: bool = False

    @property
    def question(self) -> str:
        """The question the demo asks about this entry."""
        # The name is always followed by a blank, as in an index line: the tokenizer keeps the
        # blank with the word before it, so a name reads the same in a page and in a question.
        if self.kind == "module":
            return f"What is the module {self.name} for?"
        if self.kind == "class":
            return f"What is {self.name} for?"
        return f"What does {self.name} do?"


def in_taught_form(text: str) -> bool:
    """Whether an answer is one sentence of 8 to 200 characters on one line."""
    text = text.strip()
    return 8 <= len(text) <= 200 and "\n" not in text and text[:1].isalnum()


def _import(name: str) -> ModuleType | None:
    """A module of the standard library, or None where this platform lacks it."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        # Some modules refuse another platform with an exception of their own, a few with SystemExit.
        except (Exception, SystemExit):
            return None


def _modules() -> Iterator[ModuleType]:
    """The public modules of the standard library and their direct submodules, by name."""
    for name in sorted(sys.stdlib_module_names):
        if name.startswith("_") or name in SKIPPED:
            continue
        module = _import(name)
        if module is None:
            continue
        yield module
        if name == "os":
            yield module.path
        for child in sorted(c.name for c in pkgutil.iter_modules(getattr(module, "__path__", []))):
            if not child.startswith("_") and child not in ("test", "tests"):
                submodule = _import(f"{name}.{child}")
                if submodule is not None:
                    yield submodule


def _signature(thing: Any) -> str:
    """The names of the parameters in parentheses; "(...)" where unknown or long."""
    # No default values: some hold a path or a setting of this machine, and the corpus must not.
    try:
        names = [name for name in inspect.signature(thing).parameters if name != "self"]
    except Exception:  # inspect evaluates the defaults written in C docstrings, and they may name anything
        return "(...)"
    text = f"({', '.join(names)})"
    return text if len(text) <= 60 else "(...)"


def _paragraphs(doc: str) -> list[str]:
    """The documentation's paragraphs, each on one line, without a leading signature."""
    parts = re.split(r"\n\s*\n", inspect.cleandoc(doc))
    head, _, tail = parts[0].partition("\n")
    if re.fullmatch(r"[\w.\[\]]+\s*\(.*\)(\s*-+>.*)?:?", head.strip()):
        parts = ([tail] if tail.strip() else []) + parts[1:]
    return [" ".join(p.split()) for p in parts if p.strip()]


def _sentence(paragraph: str) -> tuple[str, str]:
    """The first sentence of a paragraph and what follows it."""
    for end in re.finditer(r"[.!?](?=\s|$)", paragraph):
        head = paragraph[: end.end()]
        if not re.search(r"\b(e\.g|i\.e|etc|vs|cf|resp|approx)\.$", head):
            return head, paragraph[end.end() :].strip()
    return paragraph.rstrip(" :;,") + ".", ""


def _readable(sentence: str) -> bool:
    """Whether a sentence is worth learning: a plain one of medium length, not code and not a heading."""
    low, high = SENTENCE_CHARS
    return (
        low <= len(sentence) <= high
        and sentence.isascii()
        and sentence[0].isupper()
        and sentence.count(" ") >= 3
        and not re.search(NOT_PROSE, sentence)
    )


def _entry(name: str, kind: str, thing: object, module: str) -> Entry | None:
    """The entry of one name, or None where its documentation has no readable first sentence."""
    doc = getattr(thing, "__doc__", None)
    paragraphs = _paragraphs(doc) if isinstance(doc, str) else []
    if not paragraphs:
        return None
    sentence, rest = _sentence(paragraphs[0])
    if not _readable(sentence):
        return None
    rest = " ".join([rest, *paragraphs[1:]]).strip()
    rest = rest[:160].rsplit(" ", 1)[0] if rest.isascii() else ""
    signature = "" if kind == "module" else _signature(thing)
    return Entry(name, kind, signature, sentence, rest, module)


def _members(module: ModuleType) -> Iterator[tuple[str, str, object]]:
    """The public functions, classes and methods that a module itself defines: (name, kind, thing)."""
    root, prefix = module.__name__.split(".")[0], f"{module.__name__}."
    prefix = {"posixpath.": "os.path.", "builtins.": ""}.get(prefix, prefix)
    for name, thing in sorted(vars(module).items()):
        home = (getattr(thing, "__module__", None) or root).split(".")[0].lstrip("_")
        foreign = home != root and home in sys.stdlib_module_names and home not in SKIPPED
        if name.startswith("_") or foreign or not (inspect.isroutine(thing) or inspect.isclass(thing)):
            continue
        yield prefix + name, "class" if inspect.isclass(thing) else "function", thing
        for key, value in sorted(vars(thing).items()) if inspect.isclass(thing) else ():
            value = getattr(value, "__func__", value)
            if not key.startswith("_") and inspect.isroutine(value):
                yield f"{prefix}{name}.{key}", "method", value


def _all_entries() -> Iterator[Entry]:
    """Every readable entry, aliases and repeated sentences included."""
    for module in _modules():
        name = "os.path" if module.__name__ == "posixpath" else module.__name__
        things = [(name, "module", module), *_members(module)]
        for entry in (_entry(n, kind, thing, name.split(".")[0]) for n, kind, thing in things):
            if entry is not None:
                yield entry


def build_entries() -> list[Entry]:
    """The corpus: one entry per sentence, by name, each marked as held out or not by its top module."""
    # In an interpreter of its own, without site-packages: torch, transformers and others put functions
    # of theirs into `inspect` and `logging`, and Python's corpus must not depend on what was imported.
    command = [sys.executable, "-I", "-S", __file__]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    return [Entry(**fields) for fields in json.loads(output)]


def _entries_of_this_process() -> list[Entry]:
    """What `build_entries` returns, read from the modules as they are in this interpreter.

    Where several names share a sentence (an inherited method, an alias) the shortest name keeps it:
    a question whose answer fits five names teaches nothing.
    """
    by_sentence: dict[str, Entry] = {}
    for entry in sorted(_all_entries(), key=lambda e: (e.name.count("."), len(e.name), e.name)):
        by_sentence.setdefault(entry.sentence.lower(), entry)
    entries = sorted(by_sentence.values(), key=lambda e: e.name)
    held_out = _held_out_modules({e.module for e in entries})
    return [Entry(**{**vars(e), "held_out": e.module in held_out}) for e in entries]


def _held_out_modules(modules: set[str]) -> set[str]:
    """One top module in six, drawn by the seed."""
    shuffled = sorted(modules)
    random.Random(SEED).shuffle(shuffled)
    return set(shuffled[: len(shuffled) // HELD_OUT_ONE_IN])


def question_rows(entries: list[Entry]) -> list[dict[str, str]]:
    """The question-answer set in file order: the train rows, then the held-out rows, both shuffled."""
    rows = []
    for split, wanted in (("train", False), ("held_out", True)):
        part = [e for e in entries if e.held_out is wanted]
        random.Random(SEED).shuffle(part)
        rows += [_row(e, split) for e in part]
    return rows


def _row(entry: Entry, split: str) -> dict[str, str]:
    return {"question": entry.question, "answer": entry.sentence, "module": entry.module, "split": split}


def fingerprint(entries: list[Entry]) -> str:
    """The SHA-256 of the corpus, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps([vars(e) for e in entries], sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(json.dumps([vars(e) for e in _entries_of_this_process()]))
