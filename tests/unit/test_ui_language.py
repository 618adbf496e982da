"""French is complete: every sentence of the code is translated, with the same placeholders, and compiled."""

import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from lab.ui.language import _catalogue

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "lab" / "ui" / "locale" / "fr" / "LC_MESSAGES"
PRESETS = ("recipes", "published", "preparation", "hardware")
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}


def sentences() -> set[str]:
    """Every message id in the code, inside f-strings too, and in the presets."""
    found = set()
    for folder in ("pages", "lab", *(f"presets/{name}" for name in PRESETS)):
        for _file, _line, message, _comments, _context in extract_from_dir(
            str(ROOT / folder),
            [("**.py", "lab.ui.locale.sentences:python"), ("**.yaml", "lab.ui.locale.sentences:recipe")],
            keywords=KEYWORDS,
        ):
            found.add(message[0] if isinstance(message, tuple) else message)
    return found


@pytest.fixture(scope="module")
def french():
    with (FOLDER / "lab.po").open("rb") as file:
        return read_po(file, locale="fr")


def placeholders(text: str) -> set[str]:
    return {name for _text, name, _format, _conversion in string.Formatter().parse(text) if name is not None}


def test_every_sentence_is_translated(french):
    translated = {
        (message.id[0] if isinstance(message.id, tuple) else message.id)
        for message in french
        if message.id and (all(message.string) if isinstance(message.string, tuple) else message.string)
    }
    assert sorted(sentences() - translated) == []


def test_translations_keep_the_placeholders(french):
    wrong = []
    for message in french:
        if not message.id or message.fuzzy:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        allowed = set().union(*(placeholders(text) for text in ids))
        wrong += [text for text in texts if placeholders(text) != allowed]
    assert wrong == []


def test_nothing_is_marked_as_unsure(french):
    assert [message.id for message in french if message.fuzzy and message.id] == []


def flat(text):
    """Plurals as tuples: one reader gives lists, the other tuples."""
    return tuple(text) if isinstance(text, list | tuple) else text


def test_the_compiled_catalogue_is_the_written_one(french):
    with (FOLDER / "lab.mo").open("rb") as file:
        compiled = {flat(message.id): flat(message.string) for message in read_mo(file) if message.id}
    written = {flat(message.id): flat(message.string) for message in french if message.id and message.string}
    assert compiled == written


def test_french_plurals_treat_zero_as_one():
    catalogue = _catalogue("fr")
    one = catalogue.ngettext("{count} run is on", "{count} runs are on", 1)
    assert catalogue.ngettext("{count} run is on", "{count} runs are on", 0) == one
    assert catalogue.ngettext("{count} run is on", "{count} runs are on", 2) != one


def test_of_a_device_its_sources_can_be_translated_and_a_processor_has_a_name_in_words():
    from lab.planning.hardware import hardware
    from lab.ui.locale.sentences import recipe

    folder = Path(__file__).parents[2] / "presets" / "hardware"
    for preset in hardware().values():
        with open(folder / f"{preset.id}.yaml", "rb") as file:
            found = {text for _, _, text, _ in recipe(file, (), (), {})}
        assert (preset.name in found) == (preset.kind == "cpu")
        assert {preset.source, preset.memory_source, preset.fp8_source, preset.price_source} - {""} <= found
