"""A setup as a Jupyter notebook: the cells of the script, in the format of nbformat 4.5."""

from __future__ import annotations

import json
from typing import Any

from lab.catalogue.exchange.parts import Export
from lab.catalogue.exchange.places import Rows
from lab.catalogue.exchange.script import CELL, script
from lab.planning import Plan
from lab.spec import RunSpec

MARKDOWN = f"{CELL} [markdown]"


def notebook(spec: RunSpec, plan: Plan | None, rows: Rows) -> Export:
    """The notebook as a file, without outputs."""
    made = script(spec, plan, rows)
    document = {
        "cells": cells(made.text),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    return Export("notebook", "fine_tune.ipynb", text, made.left_out)


def cells(text: str) -> list[dict[str, Any]]:
    """The cells of a script whose cells are marked by `# %%` and `# %% [markdown]`."""
    blocks: list[tuple[bool, list[str]]] = []
    for line in text.splitlines():
        if line in (CELL, MARKDOWN):
            blocks.append((line == MARKDOWN, []))
        else:
            blocks[-1][1].append(line)
    return [_cell(number, is_markdown, lines) for number, (is_markdown, lines) in enumerate(blocks)]


def _cell(number: int, is_markdown: bool, lines: list[str]) -> dict[str, Any]:
    if is_markdown:
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
    source = "\n".join(lines).strip("\n").splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": "markdown" if is_markdown else "code", "id": f"cell-{number}"}
    cell |= {"metadata": {}, "source": source}
    return cell if is_markdown else cell | {"execution_count": None, "outputs": []}
