"""What must not leave this machine, and how it is recognised: keys, paths and the machine's name."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from lab.errors import InputError
from lab.runs.home import lab_home
from lab.text import N_

# Shapes of keys; each begins with letters that its maker chose to be recognised by.
_KEYS = re.compile(
    rb"hf_[A-Za-z0-9]{30,}"  # Hugging Face
    rb"|api_org_[A-Za-z0-9]{30,}"  # Hugging Face, organisations
    rb"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}"  # GitHub
    rb"|AKIA[0-9A-Z]{16}(?![0-9A-Z])"  # Amazon
    rb"|AIza[0-9A-Za-z_-]{35}"  # Google
    rb"|sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"  # OpenAI, Anthropic
    rb"|xox[abprs]-[A-Za-z0-9-]{20,}"  # Slack
    rb"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----"
)

# A folder of a person; with one more name, since a vocabulary may hold "/home" as a word.
_PATHS = re.compile(rb"(?:/home|/Users|/root|[A-Za-z]:\\{1,2}Users)[/\\]+[\w.-]+", re.ASCII)


def usable_token(token: str) -> str:
    """The token without blanks around it. Raises InputError, which does not repeat it, for what can be none.

    A control character in a header would make the HTTP library quote the whole header in its error.
    """
    token = token.strip()
    if not token:
        raise InputError(
            N_("There is no token."),
            where="token",
            next=N_("Make one that may write at huggingface.co/settings/tokens."),
        )
    if not re.fullmatch(r"[\x21-\x7e]{4,1000}", token):
        raise InputError(
            N_("This is not a token: it has characters that no token has."),
            where="token",
            next=N_("Copy it again from huggingface.co/settings/tokens."),
        )
    return token


def redacted(text: str, token: str = "") -> str:  # no token is the usual case
    """`text` with everything that looks like a key, and `token` itself, replaced."""
    if token:
        text = text.replace(token, "(token)")
    return _KEYS.sub(b"(token)", text.encode("utf-8", "replace")).decode("utf-8", "replace")


def keys_in(data: bytes, token: str = "") -> bool:
    """Whether the bytes hold a key, or `token`."""
    return bool(_KEYS.search(data)) or (bool(token) and token.encode() in data)


def places_in(data: bytes) -> str:
    """The first path or name of this machine in the bytes, or an empty text."""
    found = _PATHS.search(data)
    if found:
        return found[0].decode("utf-8", "replace")
    return next((place for place in _own_places() if place.encode() in data), "")


def names_machine(text: str) -> bool:
    """Whether the text names this machine; a host called `llama` says nothing, `lab-gpu3` does."""
    host = socket.gethostname()
    if len(host) < 5 or not re.search(r"[\d.-]", host):
        return False
    return re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", text) is not None


def _own_places() -> list[str]:
    # Short ones, such as / or /root, are no secret and are words of many vocabularies.
    own = (str(lab_home()), str(Path.home()), str(Path.cwd()))
    return [place for place in dict.fromkeys(own) if place.count("/") >= 2 and len(place) >= 8]
