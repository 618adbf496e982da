"""Keeping torch out of a process that counts tokens: transformers then loads in half the time."""

from __future__ import annotations

import os
import sys


def keep_torch_out() -> None:
    """Let torch not be found by what is imported from now on; without effect once it is there.

    For a process of its own that prepares data and never runs a model.
    """
    if "torch" not in sys.modules:
        sys.modules["torch"] = None  # type: ignore[assignment]
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it would advise to install torch
