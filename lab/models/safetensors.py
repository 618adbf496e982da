"""Reading the header of a safetensors file without loading a tensor, and refusing what is not one.

The format is 8 bytes (little-endian header length), the header as JSON, then the tensors' bytes
(https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from lab.errors import InputError
from lab.text import N_

LARGEST_HEADER = 100 * 1000 * 1000  # bytes; the limit of the safetensors library


def read_header(path: Path) -> dict[str, tuple[int, ...]]:
    """The tensors of a safetensors file: name -> shape.

    Raises InputError, naming the file, for a file that is no safetensors file, whatever its name says.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or length < 2 or length > min(LARGEST_HEADER, size - 8):
            raise _refused(path)
        text = file.read(length)
    try:
        header = json.loads(text)
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        whole = all(isinstance(side, int) and side >= 0 for shape in shapes.values() for side in shape)
        fits = all(isinstance(end, int) and end <= size - 8 - length for end in ends)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise _refused(path) from None
    if not whole:
        raise _refused(path)
    if not fits:
        raise InputError(
            N_("{file} is cut off: it is shorter than its header says."),
            where=str(path),
            next=N_("Copy or download the file again."),
            file=path.name,
        )
    return shapes


def parameters_in(paths: list[Path]) -> int:
    """Number of values in these files; buffers of old exports, such as masks, are left out."""
    return sum(
        math.prod(shape)
        for path in paths
        for name, shape in read_header(path).items()
        if not name.endswith((".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq", ".attention.bias"))
    )


def _refused(path: Path) -> InputError:
    return InputError(
        N_("{file} is not a safetensors file, whatever its name says."),
        where=str(path),
        allowed=N_("Only weights in the safetensors format are read."),
        next=N_("Download the file again, or save the model with save_pretrained."),
        file=path.name,
    )
