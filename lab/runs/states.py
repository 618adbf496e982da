"""The states of a run and which change may follow which."""

from __future__ import annotations

QUEUED, STARTING, RUNNING, STOPPING = "queued", "starting", "running", "stopping"
SUCCEEDED, FAILED, CANCELLED, INTERRUPTED = "succeeded", "failed", "cancelled", "interrupted"

ACTIVE = (STARTING, RUNNING, STOPPING)  # an attempt may be alive
FROZEN = (SUCCEEDED, FAILED, CANCELLED)  # never change again; a trigger in the data base holds this
ENDED = (*FROZEN, INTERRUPTED)  # nothing happens unless somebody resumes it

MOVES: dict[str, tuple[str, ...]] = {
    QUEUED: (STARTING, CANCELLED, INTERRUPTED),
    STARTING: (RUNNING, STOPPING, QUEUED, *ENDED),
    RUNNING: (STOPPING, *ENDED),
    STOPPING: ENDED,
    INTERRUPTED: (QUEUED, CANCELLED),
    SUCCEEDED: (),
    FAILED: (),
    CANCELLED: (),
}

# The lane that a kind of job waits in, and how many jobs a lane runs at once.
LANE_OF = {
    "train": "device",
    "evaluate": "device",
    "find-lr": "device",
    "prepare": "light",
    "publish": "light",
    "generate": "light",
}
LANE_WIDTH = {"device": 1, "light": 2}
