"""The config.json of a model on the Hub, fetched when a person asks for it: `python -m lab.models.hub`.

It runs in a process of its own, which alone may use the network; the file lands in the Hub's own cache, where
`facts_of` finds it. The request is {"id": ...}, the answer {"id", "model_type"} or {"error": ...}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from lab.errors import InputError, LabError
from lab.models.location import locate
from lab.text import N_

ANSWER_S = 20.0  # a person is waiting


def fetch_config(hub_id: str) -> dict[str, Any]:
    """Fetch config.json of a public Hub model and return its values.

    Raises InputError for a source that is no Hub id or that the Hub does not show, LabError when it does not answer.
    """
    location = locate(hub_id)
    if not location.hub_id:
        raise InputError(N_("{id} is not a Hub id."), where="model.source", id=hub_id[:120])
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        path = hf_hub_download(location.hub_id, "config.json", token=False, etag_timeout=ANSWER_S)
    except RepositoryNotFoundError:
        raise InputError(
            N_("The Hub shows no public model called {id}."),
            where="model.source",
            next=N_("Check the spelling. A gated model is read once its files are on this machine."),
            id=location.hub_id,
        ) from None
    except LocalEntryNotFoundError as error:  # neither the Hub nor the cache has it
        raise _no_answer(error) from None
    except EntryNotFoundError:
        raise InputError(N_("{id} has no config.json."), where="model.source", id=location.hub_id) from None
    except Exception as error:  # the client raises errors of several libraries when the network fails
        raise _no_answer(error) from None
    values: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return values


def _no_answer(error: Exception) -> LabError:
    return LabError(
        N_("The Hub did not answer: {why}."),
        next=N_("Try again, or give the folder of the model."),
        why=type(error).__name__,
    )


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request; errors become {"error": ...}."""
    try:
        config = fetch_config(str(request.get("id") or ""))
    except LabError as error:
        return {"error": error.as_dict()}
    return {"id": request["id"], "model_type": str(config.get("model_type", ""))}


if __name__ == "__main__":
    os.environ.pop("HF_HUB_OFFLINE", None)  # the process of a page may not use the network; this one was asked to
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
