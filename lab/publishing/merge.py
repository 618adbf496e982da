"""The adapter folded into the weights of its base, as a model that needs nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.publishing.head import Head, head_of
from lab.runs.base import check_base
from lab.runs.directory import RunDirectory
from lab.runs.publishable import TASK_FILE
from lab.spec import RunSpec


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

    spec = load(run_directory / "spec.yaml")
    head = head_of(run_directory / "final")
    # In fp32: the sum is rounded once, when it is saved.
    model, tokenizer = load_tuned(run_directory) if head is None else _headed(run_directory, spec, head)
    model.merge_and_unload().to(storage_dtype(spec.model.source, spec.model.revision)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if head is not None:
        shutil.copyfile(run_directory / "final" / TASK_FILE, folder / TASK_FILE)


def _headed(run_directory: Path, spec: RunSpec, head: Head) -> tuple[Any, Any]:
    """The base with the adapter and head of the run, and its tokenizer. Raises LabError for a base that changed."""
    import transformers
    from peft import PeftModel

    from lab.training.build import load_headed

    check_base(RunDirectory(run_directory))
    final = run_directory / "final"
    tokenizer = transformers.AutoTokenizer.from_pretrained(final, local_files_only=True)
    auto_class = getattr(transformers, f"AutoModelFor{head.suffix}")
    base, _new = load_headed(auto_class, spec.model.source, revision=spec.model.revision, **head.settings())
    base.float().config.pad_token_id = tokenizer.pad_token_id
    return PeftModel.from_pretrained(base, str(final), local_files_only=True), tokenizer
