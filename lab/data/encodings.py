"""How a file stores its letters: what its first bytes say, and what a file that is not UTF-8 may be."""

from __future__ import annotations

# Encodings that a person may name. UTF-8, and UTF-16 or UTF-32 with a byte order mark, are found without help.
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "iso-8859-2", "iso-8859-15"),
    *("mac-roman", "cp437", "cp850", "cp1250", "cp1251", "koi8-r"),
    *("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"),
)
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
# What Windows programs write in Western Europe: letters, quotation marks, dashes and the like.
_WESTERN = frozenset("àâäæçéèêëîïôöœùûüÿñáíóúìòßãõåøÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸÑÁÍÓÚÃÕÅØ’‘“”„–—…€«»°·•\xa0§£©®™½¼²")
_GUESSED = ("mac_roman", "cp1250", "cp1251", "koi8_r", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp850")
LOOKED_AT = 64 * 2**10  # bytes, from the line that is no UTF-8
_ODD_SHARE = 0.02  # of the letters beyond ASCII may be rare ones, such as a fraction or a name from elsewhere
_BEYOND_ASCII_SHARE = 0.4  # of all letters; more is another alphabet, such as Cyrillic or Greek


def marked(head: bytes) -> str:
    """The encoding that a byte order mark names; empty without one."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")


def suggested(content: bytes) -> str:
    """The encoding that bytes which are no UTF-8 most likely have; empty when nothing fits.

    Western text is nearly always cp1252, which detectors confuse with its Eastern sister cp1250 in short texts;
    the rest is left to charset-normalizer. A suggestion only: nothing is ever read with it unless a person says so.
    """
    content = content[:LOOKED_AT]
    if _is_western(content):
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(content, cp_isolation=list(_GUESSED)).best()
    found = best.encoding.replace("_", "-").replace("shift-jis", "shift_jis") if best else ""
    return found if found in ENCODINGS else ""


def _is_western(content: bytes) -> bool:
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return False
    beyond = [letter for letter in text if letter > "\x7f"]
    odd = sum(letter not in _WESTERN for letter in beyond)
    letters, foreign = sum(map(str.isalpha, text)), sum(map(str.isalpha, beyond))
    return odd <= _ODD_SHARE * len(beyond) and foreign <= max(2, _BEYOND_ASCII_SHARE * letters)
