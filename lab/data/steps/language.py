"""The step language: rows in other languages than those that are wanted go.

py3langid (a naive Bayes over byte n-grams, 139 languages, 4.6 MB in its wheel). Why not lingua, on 10,500 English and
French rows: as right (98.7 % against 98.5 % at 40 to 80 characters, 99.6 % against 99.8 % over 160), 19 times slower
(26.2 s against 1.4 s), and a wheel of 96 MB.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from lab.data.steps.base import Context, Decide, Drop, Row
from lab.data.steps.fields import whole
from lab.errors import InputError
from lab.text import N_

OTHER_LANGUAGE = N_("another language")
UNKNOWN = "unknown"
_READ = 600  # characters are enough to tell a language
_SURE = 0.5  # below, the guess is right too seldom: of texts under 20 characters most are


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # reading the model takes half a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str) -> str:
    """The code of the text's language (ISO 639, such as fr), or `unknown` for one that is too short to tell."""
    if not any(character.isalpha() for character in text[:_READ]):
        return UNKNOWN
    code, confidence = _identifier().classify(text[:_READ])
    return str(code) if confidence > _SURE else UNKNOWN


def known_languages() -> list[str]:
    """The codes that can be asked for."""
    return sorted(set(map(str, _identifier().labels)))


def language(rows: list[Row], context: Context) -> Decide:
    """Counts the languages and drops rows that are surely in another one; without wanted languages it only counts.

    Read is what a row says, without its template. Raises InputError for a code that nobody knows.
    """
    wanted = {code.strip().lower() for code in context.preparation.languages}
    unknown = sorted(wanted - set(known_languages()))
    if unknown:
        raise InputError(
            N_("There is no language {codes}."),
            where="preparation.languages",
            allowed=N_("Allowed: {choices}."),
            next=N_("Use codes of two letters, such as en, fr, de."),
            codes=", ".join(unknown),
            choices=", ".join(known_languages()),
        )

    def decide(index: int, row: Row) -> Drop | None:
        text = whole(row, context.kind)
        code = language_of(text)
        context.report.found[code] += 1
        return Drop(OTHER_LANGUAGE, f"[{code}] {text}") if wanted and code not in wanted | {UNKNOWN} else None

    return decide
