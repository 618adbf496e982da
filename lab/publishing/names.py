"""Names of repositories, checked before anything is sent."""

from __future__ import annotations

import re

from lab.errors import InputError
from lab.text import N_

# What the Hub allows in one part: letters, digits, - _ . ; no -- or .. ; neither - nor . at an end.
_PART = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?", re.ASCII)


def full_name(repository: str, owner: str) -> str:
    """`owner/name` for what a person wrote, a bare name being in `owner`'s own namespace.

    Raises InputError for a name that the Hub would not take.
    """
    parts = repository.strip().split("/")
    good = len(parts) <= 2 and all(_PART.fullmatch(part) for part in parts)
    if not good or repository.strip().endswith((".git", ".ipynb")):
        raise InputError(
            N_("{repository} is not a name of a repository."),
            where="repository",
            allowed=N_("Allowed: name or owner/name, of letters, digits and - _ . , at most 96 characters each."),
            repository=repository[:200],
        )
    return "/".join(parts) if len(parts) == 2 else f"{owner}/{parts[0]}"


def is_hub_id(text: str) -> bool:
    """Whether `text` can be the id of a model on the Hub: `owner/name`, or the bare name of an old model."""
    parts = text.split("/")
    return len(parts) <= 2 and all(_PART.fullmatch(part) for part in parts)
