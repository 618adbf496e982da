"""The steps that change what rows say: broken characters are repaired, HTML becomes text."""

from __future__ import annotations

import html
import re

from lab.data.steps.base import Change, Context, Decide, Row
from lab.data.steps.fields import Replace, replaced, whole
from lab.data.steps.report import shown
from lab.text import N_

REPAIRED = N_("broken characters repaired")
STRIPPED = N_("HTML removed")

# Invisible characters that join or part no letters: left over from web pages.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")


def repair_text(rows: list[Row], context: Context) -> Decide:
    """Repairs text that was decoded wrongly, control characters and line ends, with ftfy; normal form NFC.

    Typographic quotes stay, and HTML entities are left to the step strip-html.
    """
    from ftfy import TextFixerConfig, fix_text  # only those who ask for the step pay for the import

    config = TextFixerConfig(unescape_html=False, uncurl_quotes=False, fix_latin_ligatures=False)

    def repair(text: str) -> str:
        if _PLAIN.fullmatch(text):
            return text  # ftfy would look at every line to say the same
        return fix_text(text, config).translate(_INVISIBLE)

    return _changing(context, repair, REPAIRED, labels=True)


def strip_html(rows: list[Row], context: Context) -> Decide:
    """Drops HTML tags and decodes entities; code between backticks and what is no tag of HTML stays as it is."""
    return _changing(context, text_of_html, STRIPPED)


def _changing(context: Context, replace: Replace, why: str, *, labels: bool = False) -> Decide:
    def decide(index: int, row: Row) -> Change | None:
        new = replaced(row, context.kind, replace, labels=labels)
        if new is row:
            return None
        before, after = whole(row, context.kind), whole(new, context.kind)
        place = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
        return Change(new, why, shown(before, place), shown(after, place))

    return decide


_BLOCKS = (
    "address article aside blockquote body br caption center dd div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 head header hr html li main nav noscript ol option p pre section select table tbody td tfoot "
    "th thead title tr ul"
)
_INLINE = (
    "a abbr acronym b bdi bdo big button cite code data del dfn em font i iframe img input ins kbd label link mark "
    "meta q rp rt ruby s samp small source span strike strong sub sup svg path textarea time tt u var video audio wbr"
)
_ATTRIBUTE = r"""\s+[\w:@.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'|[^\s"'<>=`]+)"""
_FLAGS = r"\s+(?:disabled|checked|selected|hidden|required|readonly|controls|async|defer|nowrap|multiple|autofocus)\b"
# In one pass, so that what an entity stands for is never read as a tag. The tags are named: List<String> and
# a <b and c> d are none. What is bounded keeps a hostile text from being read again and again.
_PIECES = re.compile(
    rf"""(?P<code>```.*?(?:```|\Z)|`[^`\n]+`)
    |(?P<gone><!--.{{0,4000}}?-->|<!doctype[^>]{{0,400}}>|<(?P<raw>script|style)\b[^>]{{0,400}}>.{{0,8000}}?</(?P=raw)\s*>)
    |</?(?:(?P<block>{_BLOCKS.replace(" ", "|")})|(?:{_INLINE.replace(" ", "|")}))(?:{_ATTRIBUTE}|{_FLAGS})*\s*/?>
    |(?P<entity>&(?:\#\d{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[a-zA-Z][a-zA-Z0-9]{{1,31}});)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_EMPTY_LINES = re.compile(r"[ \t]*\n(?:[ \t]*\n)+")


def text_of_html(text: str) -> str:
    """The text without tags and comments, its entities decoded; tags that begin a paragraph leave a line end."""
    if "<" not in text and "&" not in text:
        return text
    new = _PIECES.sub(_text_of_piece, text)
    if new == text or not _has_tag(text):
        return new
    return _EMPTY_LINES.sub("\n\n", new).strip()


def _text_of_piece(piece: re.Match[str]) -> str:
    if piece["code"] is not None:
        return piece["code"]
    if piece["entity"] is not None:
        return html.unescape(piece["entity"]).replace("\xa0", " ")
    return "\n" if piece["block"] else ""


def _has_tag(text: str) -> bool:
    return any(piece["code"] is None and piece["entity"] is None for piece in _PIECES.finditer(text))
