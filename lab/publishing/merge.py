"""The adapter folded into the weights of its base, as a model that needs nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def merged_model(run_directory: Path, folder: Path) -> Iterator[Path]:
    """Merged model and tokenizer in `folder`, in the number format of the base, while the block lasts."""
    from lab.models.location import locate
    from lab.spec import load
    from lab.training.build import load_tuned

    import torch  # isort: skip
    from transformers import AutoConfig

    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
    model, tokenizer = load_tuned(run_directory)  # in fp32: the sum is rounded once, when it is saved
    source = load(run_directory / "spec.yaml").model
    base = AutoConfig.from_pretrained(locate(source.source).load_from, revision=source.revision or None)
    try:
        model.merge_and_unload().to(base.dtype or torch.float32).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
