"""A Hub on this machine for tests of publishing: its accounts, the worker of a publication, a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_server import Account, Hub, serve

from lab.runs.directory import RunDirectory
from lab.runs.environment import of_worker
from lab.runs.home import new_id, runs_folder
from lab.runs.secret import offer_secret

ALICE, READER, FINE = "hf_" + "CanaryAlice7" * 3, "hf_" + "ReaderAlice7" * 3, "hf_" + "LimitedAli77" * 3
BOB = "hf_" + "SomebodyElse" * 3
BASE = "alice/tiny-base"

UPLOAD = """
import sys
from huggingface_hub import HfApi
repository, folder, token = sys.argv[1:]
api = HfApi(token=token)
api.create_repo(repository)
api.upload_folder(repo_id=repository, folder_path=folder)
"""


@contextmanager
def accounts_hub(folder: Path) -> Iterator[Hub]:
    """A Hub with alice (in the organisation `lab-org`) and bob."""
    accounts = {
        ALICE: Account("alice", orgs=("lab-org",)),
        READER: Account("alice", "read"),
        FINE: Account("alice", "fineGrained"),
        BOB: Account("bob"),
    }
    with serve(folder, accounts) as hub:
        yield hub


def publish(run_id: str, token: str = ALICE, **parameters: Any) -> RunDirectory:
    """Run the worker on a publication as the supervisor would, and return its directory."""
    directory = RunDirectory(runs_folder() / new_id())
    request = {
        "kind": "publish",
        "parameters": {"run": run_id, "repository": "manual", **parameters},
        "online": True,
    }
    work = directory.attempt_path(1)
    work.mkdir(parents=True)
    (directory.path / "request.json").write_text(json.dumps(request))
    offer_secret(directory.id, token)
    with open(work / "log.txt", "wb") as log:
        subprocess.run(
            [sys.executable, "-m", "lab.jobs.worker", str(directory.path)],
            env=of_worker(request, 1, work),
            cwd=work,
            stdout=log,
            stderr=log,
            timeout=120,
        )
    return directory


def refusal(directory: RunDirectory) -> str:
    assert directory.result is None
    error = directory.error(1)
    return f"{error['message']} {error['allowed']} {error['next']}"


def upload_base(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """Put the tiny base model on the Hub, with the real client."""
    in_fresh_process(tmp_path, UPLOAD, BASE, str(folder), ALICE)


def in_fresh_process(tmp_path: Path, code: str, *arguments: str) -> str:
    environment = os.environ | {"HF_HOME": str(tmp_path / f"cache-{new_id()}"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
