"""What Babel collects for the catalogue: also what stands inside f-strings, and the words of formulas and presets.

Babel's own reader of Python does not look into f-strings before Python 3.12.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import yaml
from babel.messages.extract import extract_python

_DEVICE_SOURCES = ("source", "memory_source", "bandwidth_source", "tdp_source", "fp8_source", "price_source")
Found = tuple[int, str, Any, list[str]] | tuple[int, str, Any, list[str], str | None]


def python(file: BinaryIO, keywords: Mapping[str, Any], tags: Any, options: Any) -> Iterator[Found]:
    """What Babel finds, the marked texts inside f-strings, and expression, unit and source of each formula."""
    found: Iterator[Any] = iter(extract_python(file, keywords, tags, options))
    yield from found
    file.seek(0)
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.JoinedStr):
            for call in _calls(node):
                if _name(call) in keywords and _texts(call.args):
                    yield call.lineno, _name(call), tuple(_texts(call.args)), []
        elif isinstance(node, ast.Call) and _name(node) == "formula":
            texts = _texts([*node.args, *(word.value for word in node.keywords if word.arg in ("unit", "source"))])
            yield from ((node.lineno, "N_", text, []) for text in texts if text)


def recipe(file: BinaryIO, keywords: Any, tags: Any, options: Any) -> Iterator[Found]:
    """The sentences of a preset that its page translates.

    Of a recipe the goal, the notes, and its checks with theirs; of a preparation the name and what is wrong with it;
    of a device where its figures come from.
    """
    entry: Mapping[str, Any] = yaml.safe_load(file)
    texts = [entry.get("goal"), entry.get("not_run"), *(entry.get("notes") or [])]
    texts += [check.get(part) for check in entry.get("checks") or [] for part in ("name", "note")]
    if "phases" in entry:
        texts += [entry["name"], *(wrong["what"] for wrong in entry.get("wrong") or [])]
    if "peak_flops" in entry:
        texts += [entry.get(name) for name in _DEVICE_SOURCES]
        texts += [entry["name"]] if entry["kind"] == "cpu" else []  # a card's name is the same everywhere
    yield from ((1, "N_", str(text), []) for text in texts if text)


def _calls(node: ast.AST) -> list[ast.Call]:
    return [part for part in ast.walk(node) if isinstance(part, ast.Call)]


def _name(call: ast.Call) -> str:
    return str(getattr(call.func, "id", getattr(call.func, "attr", "")))


def _texts(nodes: Iterable[ast.AST]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
