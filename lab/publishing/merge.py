"""The adapter folded into the weights of its base, as a model that needs nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def merged_model(run_directory: Path, folder: Path) -> Iterator[Path]:
    """A folder with the merged model and its tokenizer, while the block lasts.

    It is the one that the training wrote, or, where there was no room for it, one made now in `folder`, in
    the number format of the base.
    """
    written = run_directory / "final" / "merged"
    if (written / "config.json").is_file():
        yield written
        return
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
    try:
        _merge(run_directory, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _merge(run_directory: Path, folder: Path) -> None:
    from lab.spec import load
    from lab.training.build import load_tuned, storage_dtype  # torch, only when it is needed

    model, tokenizer = load_tuned(run_directory)  # in fp32: the sum is rounded once, when it is saved
    base = load(run_directory / "spec.yaml").model
    model.merge_and_unload().to(storage_dtype(base.source, base.revision)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
