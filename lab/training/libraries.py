"""What must happen before torch, transformers, trl and peft are imported; the package imports it first."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import warnings
from pathlib import Path

# libgomp reads this when torch loads it: spinning threads make two runs on shared cores 5 to 20 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Every batch of a new length makes new oneDNN kernels, and 1,024 of them are kept: 0.7 GiB that no later batch uses.
os.environ.setdefault("LRU_CACHE_CAPACITY", "128")
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
# TRL reports each trainer that is constructed to its makers unless this is set.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# PEFT imports bitsandbytes where it is installed, which costs five seconds. Whoever quantizes asks for it (`reveal`).
if importlib.util.find_spec("bitsandbytes") is not None:
    sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]

NAMES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "safetensors")


def reveal() -> bool:
    """Let bitsandbytes be found, for a run that needs it; tells whether it is installed."""
    if sys.modules.get("bitsandbytes", ...) is not None:
        return importlib.util.find_spec("bitsandbytes") is not None
    del sys.modules["bitsandbytes"]
    import peft.import_utils
    from transformers.utils import import_utils

    # They asked while it was hidden, and remember the answer.
    for remembers in (
        import_utils.is_bitsandbytes_available,
        peft.import_utils.is_bnb_available,
        peft.import_utils.is_bnb_4bit_available,
    ):
        remembers.cache_clear()
    return importlib.util.find_spec("bitsandbytes") is not None


def take_environment() -> None:
    """Let libraries that were imported before the run was known keep their files where its environment says."""
    from datasets import config

    cache = Path(os.environ["HF_DATASETS_CACHE"])
    config.HF_DATASETS_CACHE = cache
    config.DOWNLOADED_DATASETS_PATH = cache / config.DOWNLOADED_DATASETS_DIR
    config.EXTRACTED_DATASETS_PATH = config.DOWNLOADED_DATASETS_PATH / config.EXTRACTED_DATASETS_DIR


def versions() -> dict[str, str]:
    """The versions of the libraries that a result depends on, by name."""
    return {"python": sys.version.split()[0], **{name: importlib.metadata.version(name) for name in NAMES}}


def quiet() -> None:
    """Keep progress bars and advice of the libraries out of the worker's log."""
    import datasets
    import transformers

    # TRL and peft still use names that transformers wants to rename; whoever runs this cannot change that.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
