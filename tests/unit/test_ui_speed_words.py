"""What made a run fast is told in words: every note that a worker may leave is known to the page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.ui import speed_reasons, speed_words

TRAINING = Path(__file__).parents[2] / "lab" / "training"


def notes() -> Iterator[str]:
    """The texts that lab.training puts into `why`, with a 1 in the place of each value."""
    for path in sorted(TRAINING.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and any(_is_why(target) for target in node.targets):
                yield from filter(None, map(_text, _parts(node.value)))


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is in it; an f-string is one part."""
    yield node
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from _parts(child)


def _is_why(target: ast.expr) -> bool:
    whole = target.elts if isinstance(target, ast.Tuple) else [target]
    return any(isinstance(one, ast.Subscript) and ast.unparse(one.value).endswith("why") for one in whole)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if " " in node.value else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values)


def known(note: str) -> bool:
    """Whether every part of a note has a sentence; a value alone (1) is another note, told elsewhere."""
    parts = [part for part in re.split(r"; |: ", note) if part not in ("1", "")]
    return all(any(re.fullmatch(form, part) for form, _ in speed_reasons.FORMS) for part in parts)


def test_every_note_of_the_worker_has_a_sentence() -> None:
    found = set(notes())
    assert len(found) > 8
    assert [note for note in sorted(found) if not known(note)] == []


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("2.62 GiB planned, 21.40 GiB free", "2.6 GiB would be needed, 21.4 GiB were free"),
        ("packed and separate logits differ by 5.1e-07; asked in 0.12 s",
         "in one row and alone, logits differ by 5.1e-07; found out in 0.12 s"),
        ("16 layers: 2.62 GiB planned, 21.40 GiB free", "16 layers: 2.6 GiB would be needed, 21.4 GiB were free"),
        ("eager in place of sdpa: short examples on a CPU", "eager in place of sdpa: short examples on a CPU"),
        ("something that a later version says", "something that a later version says"),
        ({"template": "needs {count} GPUs", "values": {"count": 2}}, "needs 2 GPUs"),
    ],
)  # fmt: skip
def test_a_note_is_read_in_words(note: object, words: str) -> None:
    assert speed_reasons.in_words(note) == words


def test_what_was_on_and_changed_nothing_was_not_used() -> None:
    why = {
        "fused_lora": "0 layers",
        "activation_swap": "no gelu_new in this model",
        "padding_free": "not for this task",
    }
    record = {"padding_free": "auto", "budget": 0, "fused_lora": True, "activation_swap": True, "label_loss": True}
    result = {"attention": "eager", "speed": record | {"why": why}, "start": {"start": "warm", "first_step_s": 1.4}}
    rows = {row.label: row for row in speed_words.used(result)}
    assert [label for label, row in rows.items() if row.used] == ["Loss on label tokens", "Warm standby"]
    assert rows["Warm standby"].why == "first step 1 s after the start was asked for"
    assert speed_words.used({}) == []
