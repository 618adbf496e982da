"""What the held-out rows of a run are called: texts, sentences, questions, prompts, or rows where a run has several."""

from __future__ import annotations

from lab.runs.view import RunView
from lab.ui.language import _, ngettext

_BY_TASK = {
    "classification": "texts",
    "token-classification": "sentences",
    "extractive-qa": "questions",
    "multi-task": "rows",
    "preference": "prompts",
}


def unit_of(view: RunView) -> str:
    """texts, sentences, questions, prompts or rows: what the models of a run were given."""
    if view.spec is not None and view.spec.task in _BY_TASK:
        return _BY_TASK[view.spec.task]
    kind = ((view.result or {}).get("data") or {}).get("kind")
    return "questions" if kind == "question-answer" else "prompts"


def count(unit: str, number: int) -> str:
    """So many of them."""
    return {
        "texts": lambda: ngettext("{count} text", "{count} texts", number),
        "sentences": lambda: ngettext("{count} sentence", "{count} sentences", number),
        "questions": lambda: ngettext("{count} question", "{count} questions", number),
        "prompts": lambda: ngettext("{count} prompt", "{count} prompts", number),
    }.get(unit, lambda: ngettext("{count} row", "{count} rows", number))()


def held_out(unit: str, number: int) -> str:
    """So many of them, none of which was trained on."""
    return {
        "texts": lambda: ngettext("{count} held-out text", "{count} held-out texts", number),
        "sentences": lambda: ngettext("{count} held-out sentence", "{count} held-out sentences", number),
        "questions": lambda: ngettext("{count} held-out question", "{count} held-out questions", number),
        "prompts": lambda: ngettext("{count} held-out prompt", "{count} held-out prompts", number),
    }.get(unit, lambda: ngettext("{count} held-out row", "{count} held-out rows", number))()


def heading(unit: str) -> str:
    """All of them, as the name of a tab."""
    return {"questions": _("Held-out questions"), "prompts": _("Held-out prompts")}.get(unit, _("Held-out rows"))
