"""Asking the Hub, from a page, who a token belongs to: `python -m lab.publishing.child`, token on its input.

The request is {"do": "whoami", "token": ...}; the answer {"name", "can_write", "orgs"} or {"error": ...}.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from lab.errors import InputError, LabError
from lab.text import N_

ANSWER_S = 12.0  # a person is waiting


def check_token(token: str) -> dict[str, Any]:
    """Who the token belongs to and whether it may write. Raises LabError."""
    # A child of a page may not use the network unless it is asked to; this one is. Read at the import below.
    os.environ.pop("HF_HUB_OFFLINE", None)
    from lab.publishing.hub import Hub

    return Hub(token, answer_s=ANSWER_S).account().as_dict()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request; errors become {"error": ...}."""
    try:
        if request.get("do") != "whoami":
            raise InputError(N_("There is no request called {name}."), name=str(request.get("do"))[:40])
        return check_token(str(request.get("token") or ""))
    except LabError as error:
        return {"error": error.as_dict()}


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
