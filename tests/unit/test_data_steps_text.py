"""Repair, HTML, language, personal data: what changes, what stays."""

from __future__ import annotations

from typing import Any

import pytest

from lab.data.steps import StepReport, run_steps
from lab.data.steps.language import language_of
from lab.data.steps.personal import find, masked
from lab.data.steps.text import text_of_html
from lab.errors import InputError
from lab.spec.parts import PreparationSpec


def one(rows: list[dict[str, Any]], kind: str, step: str, **settings: Any) -> tuple[list[dict[str, Any]], StepReport]:
    preparation = PreparationSpec.model_validate({"steps": [step], **settings})
    kept, (report,) = run_steps(rows, kind, preparation, text_of=str)
    return kept, report


def repaired(text: str) -> str:
    kept, _ = one([{"text": text}], "text", "repair-text")
    return str(kept[0]["text"])


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("L’été à la mer, c’est cher : 12 €".encode().decode("cp1252"), "L’été à la mer, c’est cher : 12 €"),
        ("e\u0301te\u0301", "été"),
        ("ligne 1\r\nligne 2\x00", "ligne 1\nligne 2"),
        ("mot\u200binvisible\ufeff", "motinvisible"),
    ],
)
def test_broken_characters_are_repaired(broken: str, whole: str):
    assert repaired(broken) == whole


@pytest.mark.parametrize(
    "text",
    ["« L’été », dit-elle… à 20 °C", "if (a < b && c > d) { x = '\\u00e9'; }", "a &amp; b", "“quotes” — dash", "👩‍💻"],
)
def test_what_is_not_broken_stays(text: str):
    assert repaired(text) == text
    _, report = one([{"text": text}], "text", "repair-text")
    assert report.changed == 0 and not report.examples


def test_a_repair_shows_the_place_and_reaches_labels():
    rows = [{"text": "x" * 1000 + " dÃ©jÃ ", "label": "prÃ©vu"}, {"text": "déjà", "label": "prévu"}]
    kept, report = one(rows, "classification", "repair-text")
    assert [row["label"] for row in kept] == ["prévu", "prévu"] and report.changed == 1
    assert "dÃ©jÃ" in report.examples[0]["before"] and "déjà" in report.examples[0]["after"]


def test_tokens_keep_their_number_and_an_answer_its_place():
    row = {"tokens": ["Ã‰lise", "habite", "\u200b", "NÃ®mes"], "tags": ["B-PER", "O", "O", "B-LOC"]}
    kept, _ = one([row], "token-classification", "repair-text")
    assert kept[0]["tokens"] == ["Élise", "habite", "\u200b", "Nîmes"] and kept[0]["tags"] == row["tags"]
    context = "LÃ©a est nÃ©e Ã  NÃ®mes. NÃ®mes est une ville."
    row = {
        "id": "1",
        "context": context,
        "question": "OÃ¹ ?",
        "answers": [{"text": "NÃ®mes", "start": context.index("NÃ®")}],
    }
    (kept_row,), _ = one([row], "extractive-qa", "repair-text")
    answer = kept_row["answers"][0]
    assert kept_row["context"] == "Léa est née à Nîmes. Nîmes est une ville." and kept_row["question"] == "Où ?"
    assert answer == {"text": "Nîmes", "start": kept_row["context"].index("Nîmes")}


def test_an_answer_that_html_cuts_in_two_keeps_its_row_as_it_was():
    row = {"id": "1", "context": "<p>Le roi Louis</p>", "question": "Qui ?", "answers": [{"text": "<p>Le", "start": 0}]}
    (kept,), _ = one([row], "extractive-qa", "strip-html")
    assert kept["context"][kept["answers"][0]["start"] :].startswith(kept["answers"][0]["text"])
    row = {
        "id": "1",
        "context": "<b>Le</b> roi Louis",
        "question": "Qui ?",
        "answers": [{"text": "roi Louis", "start": 10}],
    }
    (kept,), _ = one([row], "extractive-qa", "strip-html")
    assert kept["context"] == "Le roi Louis" and kept["answers"][0]["start"] == 3


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Bonjour <b>à tous</b>,</p><p>ça&nbsp;va&nbsp;?</p>", "Bonjour à tous,\n\nça va ?"),
        ("Caf&eacute; &amp; th&#233; &lt;b&gt;", "Café & thé <b>"),
        ("ligne<br/>suivante<br>fin", "ligne\nsuivante\nfin"),
        ('<a href="https://exemple.fr?a=1&b=2" target=_blank>ici</a>', "ici"),
        ("<script>alert(1 < 2)</script>avant<!-- non -->après<style>p{}</style>", "avantaprès"),
        ("<pre><code>for i in range(3):\n    print(i)\n</code></pre>", "for i in range(3):\n    print(i)"),
        ("<ul>\n<li>un</li>\n<li>deux</li>\n</ul>", "un\n\ndeux"),
    ],
)
def test_html_becomes_text(html: str, text: str):
    assert text_of_html(html) == text


@pytest.mark.parametrize(
    "text",
    [
        "if a < b and c > d: pass",
        "a <b and c> d",
        "x<y&&z>w",
        "List<String> names = new ArrayList<>();",
        "std::vector<int> v; #include <stdio.h>",
        "Écris `<div class='a'>&amp;</div>` ici",
        "```html\n<p>Bonjour &eacute;</p>\n```",
        "AT&T, R&D; ?a=1&copy=2",
        "<3 et <- et <email@exemple.fr>",
    ],
)
def test_comparisons_and_code_stay(text: str):
    assert text_of_html(text) == text


@pytest.mark.parametrize("hostile", ["<" * 50_000, "<a " * 20_000, "&" * 50_000, "`" * 50_001, "<!--" * 10_000])
def test_hostile_markup_is_read_in_one_pass(hostile: str):
    assert isinstance(text_of_html(hostile), str)


def test_languages_are_counted_and_short_texts_stay():
    rows = [
        {"question": "Quelle est la capitale de la France ?", "answer": "La capitale de la France est Paris."},
        {"question": "What is the capital of France?", "answer": "The capital of France is the city of Paris."},
        {"question": "Was ist die Hauptstadt von Frankreich?", "answer": "Die Hauptstadt von Frankreich ist Paris."},
        {"question": "2+2", "answer": "4"},
    ]
    kept, report = one(rows, "question-answer", "language", languages=["fr", "en"])
    assert kept == [rows[0], rows[1], rows[3]]
    assert dict(report.found) == {"fr": 1, "en": 1, "de": 1, "unknown": 1}
    assert report.dropped == {"another language": 1} and report.examples[0]["before"].startswith("[de]")
    kept, report = one(rows, "question-answer", "language")
    assert kept == rows and report.found["de"] == 1


def test_a_language_that_nobody_knows_is_refused():
    with pytest.raises(InputError, match="no language french") as refusal:
        one([{"text": "Bonjour"}], "text", "language", languages=["french"])
    assert refusal.value.where == "preparation.languages"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Le chat dort sur le canapé pendant que la pluie tombe sur les toits de la ville.", "fr"),
        ("The cat sleeps on the sofa while the rain falls on the roofs of the town.", "en"),
        ("ok", "unknown"),
        ("", "unknown"),
        ("12 345,67", "unknown"),
    ],
)
def test_a_language_is_told_or_unknown(text: str, code: str):
    assert language_of(text) == code


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Écrivez à jean.dupont+test@mairie.exemple.fr.", "Écrivez à [EMAIL]."),
        ("Tél. 06 12 34 56 78 ou 01.42.68.53.00", "Tél. [PHONE] ou [PHONE]"),
        ("Call +44 20 7946 0958 or (212) 555-0123 today", "Call [PHONE] or [PHONE] today"),
        ("IBAN FR76 3000 6000 0112 3456 7890 189 MERCI", "IBAN [IBAN] MERCI"),
        ("IBAN GB82WEST12345698765432.", "IBAN [IBAN]."),
        ("Carte 4111 1111 1111 1111, exp. 12/27", "Carte [CARD], exp. 12/27"),
        ("Carte 378282246310005", "Carte [CARD]"),
        ("NIR 2 95 10 99 126 111 93 (Élise)", "NIR [NIR] (Élise)"),
        ("serveur 8.8.8.8, puis 2001:4860:4860::8888", "serveur [IP], puis [IP]"),
    ],
)
def test_personal_data_is_masked(text: str, after: str):
    assert masked(text, find(text)) == after


@pytest.mark.parametrize(
    "text",
    [
        "Carte 4111 1111 1111 1112",  # wrong checksum
        "FR76 3000 6000 0112 3456 7890 188",
        "NIR 2 95 10 99 126 111 94",
        "Python 3.11.7, du 2024-01-15 au 15/01/2024, 1 234 567,89 €",
        "127.0.0.1 et 192.168.1.10 et std::vector et 300.1.1.1",
        "@decorator, user@localhost, a@b",
        "0000000000000000 et 1234567890 et 3.14159265358979",
        "2+2=4, 1/2, 10 000 000, 100-200-300",
        "commande 20240115123456, page 12-14, 2019-2023",
    ],
)
def test_numbers_that_belong_to_nobody_stay(text: str):
    assert find(text) == []


PEOPLE = [
    {"question": "Comment vous joindre ?", "answer": "À marie@exemple.fr, au 06 12 34 56 78."},
    {"question": "Quelle heure est-il ?", "answer": "Il est midi."},
]


def test_flagging_counts_each_sort_and_shows_no_secret():
    kept, report = one(PEOPLE, "question-answer", "personal-data")
    assert kept == PEOPLE and report.changed == 0
    assert dict(report.found) == {"e-mail": 1, "phone": 1}
    assert report.examples == [{"row": 0, "why": "personal data", "before": "À •••, au •••."}]


def test_masking_and_dropping():
    kept, report = one(PEOPLE, "question-answer", "personal-data", personal_data="mask")
    assert kept[0]["answer"] == "À [EMAIL], au [PHONE]." and kept[1] is PEOPLE[1] and report.changed == 1
    assert "marie" not in str(report.as_dict())
    kept, report = one(PEOPLE, "question-answer", "personal-data", personal_data="drop")
    assert kept == PEOPLE[1:] and "marie" not in str(report.as_dict())


def test_a_number_in_several_tokens_is_masked_token_by_token():
    row = {"tokens": ["Tél", ":", "06", "12", "34", "56", "78", "Paris"], "tags": ["O"] * 7 + ["B-LOC"]}
    (kept,), _ = one([row], "token-classification", "personal-data", personal_data="mask")
    assert kept["tokens"] == ["Tél", ":", *["[PHONE]"] * 5, "Paris"] and kept["tags"] == row["tags"]


def test_conversations_and_preferences_are_cleaned_turn_by_turn():
    turns = [{"role": "user", "content": "<b>Bonjour</b>"}, {"role": "assistant", "content": "Salut &agrave; toi"}]
    kept, _ = one([{"messages": turns, "tools": "<b>[]</b>"}], "messages", "strip-html")
    assert [turn["content"] for turn in kept[0]["messages"]] == ["Bonjour", "Salut à toi"]
    assert kept[0]["tools"] == "<b>[]</b>"
    row = {"prompt": turns[:1], "chosen": "<i>oui</i>", "rejected": "non<br>"}
    kept, _ = one([row], "preference", "strip-html")
    assert kept == [{"prompt": [{"role": "user", "content": "Bonjour"}], "chosen": "oui", "rejected": "non"}]
