"""Which encoding is suggested for bytes that are no UTF-8."""

from __future__ import annotations

import pytest

from lab.data.encodings import suggested

FRENCH = "Écrivez-nous dès l’été : « ça » coûte 3 €, où êtes-vous né, naïf garçon ? L’œuvre est là. " * 3


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "cp1252"),
        (FRENCH + "Ajoutez ¾ de tasse.", "cp1252"),  # one rare sign makes no Eastern text of it
        ("un été", "cp1252"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy, řeka teče, šálek čaje a město.", "cp1250"),
        ("Zażółć gęślą jaźń. W Szczebrzeszynie chrząszcz brzmi w trzcinie.", "cp1250"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю.", "cp1251"),
        ("Это да. Они там. Все они. Мама мыла окна, папа пил чай и молчал.", "cp1251"),
    ],
)
def test_the_encoding_of_a_text_is_suggested(text: str, encoding: str) -> None:
    assert suggested(text.encode(encoding)) == encoding
