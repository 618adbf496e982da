"""What a process that works for the lab inherits: an allow-list, so that no token and no stray setting slips
in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lab
from lab.runs.home import lab_home

REPOSITORY = Path(lab.__file__).parent.parent

# Where programs, libraries, certificates and caches are; language and time; how to reach the network; which
# GPU.
_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|LD_LIBRARY_PATH|XDG_\w+|LAB_\w+"
    r"|PYTHONPATH|PYTHONHASHSEED|PYTHONDONTWRITEBYTECODE|PYTHONWARNINGS"
    r"|HF_HOME|HF_HUB_CACHE|HF_ENDPOINT|HF_HUB_DOWNLOAD_TIMEOUT|HF_HUB_ETAG_TIMEOUT|HF_HUB_DISABLE_XET"
    r"|(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|CUDA_\w+|NVIDIA_\w+|PYTORCH_\w+|OMP_NUM_THREADS|MKL_NUM_THREADS"
)

# Nothing is fetched or reported unless somebody named a Hub model; no implicit token; no code from the Hub.
_SET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DO_NOT_TRACK": "1",
    "USE_HUB_KERNELS": "NO",
    "WANDB_DISABLED": "true",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONUNBUFFERED": "1",
    "PYTHONSAFEPATH": "1",  # the working directory is not a place to import from
}


def cleaned(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The part of an environment (this process's by default) that a child may see, and what the lab sets
    itself.
    """
    given = os.environ if environment is None else environment
    kept = {name: value for name, value in given.items() if _KEPT.fullmatch(name)}
    path = os.pathsep.join(
        dict.fromkeys(filter(None, [str(REPOSITORY), *kept.get("PYTHONPATH", "").split(os.pathsep)]))
    )
    return kept | _SET | {"LAB_HOME": str(lab_home()), "PYTHONPATH": path}


def of_attempt(attempt: int, work: Path) -> dict[str, str]:
    """What of a worker's environment is its attempt's own; `work` is its empty working directory."""
    return {"LAB_ATTEMPT": str(attempt), "HF_DATASETS_CACHE": str(work / "datasets-cache")}


def of_worker(request: Mapping[str, Any], attempt: int, work: Path) -> dict[str, str]:
    """The environment of the worker of one attempt; `work` is its empty working directory."""
    return of_request(request) | of_attempt(attempt, work)


def of_request(request: Mapping[str, Any]) -> dict[str, str]:
    """The environment of every worker of a request, without what is its attempt's own."""
    environment = cleaned()
    if request.get("online"):
        del environment["HF_HUB_OFFLINE"]
    if request.get("hub_endpoint"):
        environment["HF_ENDPOINT"] = str(request["hub_endpoint"])
    if request.get("threads"):
        environment["OMP_NUM_THREADS"] = str(request["threads"])
    return environment
