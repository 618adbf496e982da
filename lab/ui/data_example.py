"""One row of data as a person understands it: prompt and answer, turns, tagged words, a span in its text, a pair."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from lab.ui.language import _

_SHOWN = 1500  # characters of one text
_TURNS = 12
_PROMPTS = ("instruction", "input", "context", "question", "prompt", "text_pair", "system")


def draw(kind: str, row: Mapping[str, Any]) -> None:
    """Draw the values of a row (role -> value) in the shape of its kind; nothing of it is ever Markdown."""
    shape = {
        "messages": _messages,
        "classification": _classification,
        "token-classification": _tagged,
        "extractive-qa": _span,
        "preference": _preference,
        "text": _text,
    }.get(kind, _prompt_answer)
    st.html(f'<div class="lab-row">{shape(row)}</div>')


def value_of(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column; a nested one is named with points, as in data.question."""
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("."):
        value = _parsed(value)
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _prompt_answer(row: Mapping[str, Any]) -> str:
    answer = next((row[role] for role in ("output", "answer", "completion") if role in row), "")
    given = [text for role in _PROMPTS if (text := _plain(row.get(role)))]
    return _part(_("the model reads"), "\n\n".join(given)) + _part(_("learns to say"), _plain(answer), trained=True)


def _text(row: Mapping[str, Any]) -> str:
    return _part(_("learns to say"), _plain(row.get("text")), trained=True)


def _messages(row: Mapping[str, Any]) -> str:
    parts = [_part(_("system"), _plain(row["system"]))] if row.get("system") else []
    turns = turns_of(row.get("messages"))
    parts += [_part(role, text, trained=role.lower() in _SPEAKS) for role, text in turns[:_TURNS]]
    if len(turns) > _TURNS:
        parts.append(_part("…", ""))
    return "".join(parts)


_SPEAKS = ("assistant", "gpt", "bot", "model", "chatgpt", "assistante", "chatbot")


def turns_of(value: Any) -> list[tuple[str, str]]:
    """The turns of a conversation as (who, what), whatever their keys are called; calls of tools as their JSON."""
    turns = []
    parsed = _parsed(value)
    for turn in parsed if isinstance(parsed, list) else []:
        if not isinstance(turn, Mapping):
            continue
        who = next((turn[key] for key in ("role", "from", "speaker", "author") if turn.get(key)), "?")
        what = next((turn[key] for key in ("content", "value", "text", "message") if turn.get(key)), "")
        called = turn.get("tool_calls")
        turns.append((str(who), _plain(what) or (json.dumps(called, ensure_ascii=False) if called else "")))
    return turns


def _classification(row: Mapping[str, Any]) -> str:
    texts = [text for role in ("text", "text_pair") if (text := _plain(row.get(role)))]
    label = _cut(_plain(row.get("label")))
    return _part(_("the model reads"), "\n\n".join(texts)) + _line(_("learns the label"), _chip(label or "—", 0))


def _tagged(row: Mapping[str, Any]) -> str:
    tokens, tags = _parsed(row.get("tokens")), _parsed(row.get("tags"))
    if not isinstance(tokens, list) or not isinstance(tags, list):
        return _part(_("the model reads"), _plain(row.get("tokens")))
    sorts: dict[str, int] = {}
    words = []
    for token, tag in list(zip(tokens, tags, strict=False))[:200]:
        name = str(tag).split("-", 1)[-1]
        outside = str(tag) in ("O", "0", "")
        number = 0 if outside else sorts.setdefault(name, len(sorts))
        words.append(html.escape(str(token)) if outside else _chip(str(token), number, str(tag)))
    return f'<div class="lab-tagged">{" ".join(words)}</div>'


def _span(row: Mapping[str, Any]) -> str:
    context, answers = _plain(row.get("context")), answers_of(row.get("answers"))
    marked = html.escape(_cut(context))
    if answers and answers[0][1] is not None:
        text, start = answers[0][0], int(answers[0][1])
        begin = max(0, start - _SHOWN // 2)
        before, after = context[begin:start], context[start + len(text) : start + len(text) + _SHOWN // 2]
        marked = ("…" if begin else "") + html.escape(before)
        marked += f'<span class="lab-trained">{html.escape(text)}</span>{html.escape(after)}'
    found = answers[0][0] if answers else _("no answer in this text")
    return (
        _part(_("question"), _plain(row.get("question")))
        + f'<div><span class="lab-who">{html.escape(_("context"))}</span><p>{marked}</p></div>'
        + _part(_("learns to find"), found, trained=bool(answers))
    )


def answers_of(value: Any) -> list[tuple[str, int | None]]:
    """The answers of an extractive question as (text, start): one object, a list of them, or SQuAD's two lists."""
    parsed = _parsed(value)
    if isinstance(parsed, Mapping):
        texts, starts = parsed.get("text", []), parsed.get("answer_start", parsed.get("start", []))
        if isinstance(texts, list):
            starts = starts if isinstance(starts, list) else []
            return [(str(text), starts[at] if at < len(starts) else None) for at, text in enumerate(texts)]
        parsed = [parsed]
    pairs = [entry for entry in parsed if isinstance(entry, Mapping)] if isinstance(parsed, list) else []
    return [(str(entry.get("text", "")), entry.get("start", entry.get("answer_start"))) for entry in pairs]


def _preference(row: Mapping[str, Any]) -> str:
    prompt = _said(row.get("prompt") or row.get("messages"))
    asked = _part(_("the model reads"), prompt) if prompt else ""
    if "chosen" not in row:
        wanted = str(row.get("label", row.get("desired"))).lower() in ("true", "1", "1.0", "yes")
        answer = _said(row.get("completion"))
        return asked + _part(_("learns to say") if wanted else _("learns to avoid"), answer, trained=wanted)
    chosen, rejected = _said(row["chosen"]), _said(row.get("rejected"))
    return asked + (
        f'<div class="lab-pair">{_part(_("preferred"), chosen, trained=True)}{_part(_("rejected"), rejected)}</div>'
    )


def _said(value: Any) -> str:
    turns = turns_of(value)
    return "\n".join(f"{who}: {what}" for who, what in turns) if turns else _plain(value)


def _part(who: str, text: str, *, trained: bool = False) -> str:
    shown = html.escape(_cut(text)) or "&nbsp;"
    body = f'<span class="lab-trained">{shown}</span>' if trained and text else shown
    return f'<div><span class="lab-who">{html.escape(who[:40])}</span><p>{body}</p></div>'


def _line(who: str, body: str) -> str:
    return f'<div><span class="lab-who">{html.escape(who)}</span><p>{body}</p></div>'


def _chip(text: str, number: int, tag: str = "") -> str:
    small = f"<small>{html.escape(tag)}</small>" if tag else ""
    return f'<span class="lab-chip lab-chip-{number % 6}">{html.escape(text)}{small}</span>'


def _plain(value: Any) -> str:
    """A value as text; the text parts of a list of parts, everything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, Mapping) and "type" in part for part in value):
        return "\n".join(str(part.get("text", f"[{part['type']}]")) for part in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _parsed(value: Any) -> Any:
    """A value that a table holds as the text of a list or an object, as what it is."""
    if isinstance(value, str) and value[:1] in "[{" and value:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
