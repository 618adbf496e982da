"""Finding personal data in a text: what looks like it, and whose checksum or form is right."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

EMAIL, NIR, IBAN, CARD, PHONE, ADDRESS = "e-mail", "NIR", "IBAN", "card", "phone", "IP address"
MASKS = {EMAIL: "[EMAIL]", NIR: "[NIR]", IBAN: "[IBAN]", CARD: "[CARD]", PHONE: "[PHONE]", ADDRESS: "[IP]"}


@dataclass(frozen=True, order=True)
class Finding:
    """Where in a text (start, end in characters) stands what sort of personal data."""

    start: int
    end: int
    sort: str


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w@])")
# The French social security number: sex, year, month, department, town, order, key.
_NIR = re.compile(r"(?<!\w)[1-478] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d(?!\w)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_CARD = re.compile(r"(?<![\w.,-])[2-6]\d{3}[ -]?(?:\d{4}[ -]?\d{4}[ -]?\d{1,7}|\d{6}[ -]?\d{4,5})(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![\w:])")
_DIGITS = re.compile(r"(?<![\w.,/:-])(?:\+|00|\(?0|\()?\(?\d[\d .()/-]{6,22}\d(?!\w|[.,:/-]\d)")
_DIGIT = re.compile(r"\d")


def find(text: str) -> list[Finding]:
    """The personal data in a text, from left to right; where two overlap, the more particular sort counts.

    E-mail addresses, French social security numbers, IBANs and payment cards with a right checksum, French and
    international telephone numbers and North American ones, and addresses of the public internet. Names, streets and
    dates of birth are not found.
    """
    found: list[Finding] = []
    if "@" in text:
        found += (Finding(*match.span(), EMAIL) for match in _EMAIL.finditer(text))
    if _DIGIT.search(text):
        for finder in (_nirs, _ibans, _cards, _addresses, _phones):
            for new in finder(text):
                if all(new.end <= old.start or new.start >= old.end for old in found):
                    found.append(new)
    return sorted(found)


def masked(text: str, found: list[Finding], mask: Callable[[str], str] = MASKS.__getitem__) -> str:
    """The text with `mask(sort)` in the place of each finding."""
    parts, end = [], 0
    for finding in found:
        parts += [text[end : finding.start], mask(finding.sort)]
        end = finding.end
    return "".join([*parts, text[end:]])


def _nirs(text: str) -> Iterator[Finding]:
    from stdnum.fr import nir

    return (Finding(*match.span(), NIR) for match in _NIR.finditer(text) if nir.is_valid(match[0]))


def _ibans(text: str) -> Iterator[Finding]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        # A word in capitals after the number looks like one more group of it.
        candidate = match[0]
        while len(candidate) > 14 and not iban.is_valid(candidate):
            candidate = candidate.rpartition(" ")[0]
        if len(candidate) > 14:
            yield Finding(match.start(), match.start() + len(candidate), IBAN)


def _cards(text: str) -> Iterator[Finding]:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if 13 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn.is_valid(digits):
            yield Finding(*match.span(), CARD)


def _addresses(text: str) -> Iterator[Finding]:
    """Addresses of the public internet only: 127.0.0.1 and 192.168.1.1 point at nobody."""
    for match in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        if address.is_global and (address.version == 4 or _DIGIT.search(match[0])):
            yield Finding(*match.span(), ADDRESS)


def _phones(text: str) -> Iterator[Finding]:
    """Digits that may be a number are found by a pattern first: phonenumbers takes a millisecond a text."""
    for match in _DIGITS.finditer(text):
        digits = sum(map(str.isdigit, match[0]))
        if 8 <= digits <= 15 and (match[0][0] in "+0(" or len(match[0]) > digits) and _is_phone(match[0]):
            yield Finding(*match.span(), PHONE)


def _is_phone(candidate: str) -> bool:
    """A valid number: with its country, of France, or in the groups of North America."""
    from phonenumbers import NumberParseException, is_valid_number, parse

    if candidate.startswith("00"):
        candidate = "+" + candidate[2:]
    if candidate.lstrip("(").startswith(("0", "+")):
        region = "FR"
    elif _AMERICAN.fullmatch(candidate):
        region = "US"
    else:
        return False
    try:
        return is_valid_number(parse(candidate, region))
    except NumberParseException:
        return False


_AMERICAN = re.compile(r"(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}")
