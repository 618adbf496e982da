"""The worker of the standby: it imports what a training needs, waits for a run, and is then its worker.

    python -m lab.jobs.standby_worker SOCKET_FD

Nothing but imports happens before: no model, no memory of a GPU. From the moment it takes a run it differs from a
worker that was started for it in nothing: its log, its working directory, its locks, its exit code.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from lab.jobs import messages
from lab.jobs.family import end_with_parent, outlive_parent
from lab.jobs.messages import Message
from lab.jobs.worker import leave, listening, work
from lab.runs.stopping import StopFlag

# What a training or a sweep imports up to its first step; the models are those of the usual families.
IMPORTS = (
    "lab.training.worker",
    "lab.training.session",
    "lab.training.tasks.causal",
    "lab.training.tasks.multi",  # and with it every task with labels
    "transformers.models.llama.modeling_llama",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.qwen2.modeling_qwen2",
    "rouge_score.rouge_scorer",
)


def take(errand: Message, files: list[int], stop: StopFlag) -> int:
    """Become the worker of the run in `errand` and do its work; `files` are its log and its locks."""
    outlive_parent()
    log, *locks = files
    for target in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, target)
    os.close(log)
    for lock in locks:
        os.set_inheritable(lock, True)  # held by whatever this worker starts, too
    os.environ.update(errand["environment"])
    os.chdir(errand["work"])
    importlib.import_module("lab.training.libraries").take_environment()
    return work(Path(errand["run"]), errand["attempt"], stop)


def main() -> None:
    """Import, wait, and work."""
    end_with_parent()
    stop = listening()
    shim = socket.socket(fileno=int(sys.argv[1]))
    for name in IMPORTS:
        importlib.import_module(name)
    gc.freeze()  # what was imported stays: no collection of the training need look through it
    messages.send(shim, {"ready": True})
    while True:
        asked, files = messages.receive(shim)
        if asked is None or (stop.requested and "run" not in asked):
            os._exit(0)
        if "run" in asked:
            with suppress(OSError):  # a shim that was killed meanwhile leaves its run alive
                messages.send(shim, {"taken": True})
            shim.close()
            leave(take(asked, files, stop))
        messages.send(shim, asked)


if __name__ == "__main__":
    main()
