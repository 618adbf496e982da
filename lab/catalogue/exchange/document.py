"""A YAML file of anybody's as a mapping, with the line of each key."""

from __future__ import annotations

from typing import Any

import yaml

from lab.errors import InputError
from lab.presets import read_yaml
from lab.text import N_

LARGEST = 200_000  # characters; a setup has a few thousand
DEEPEST = 30  # levels; a setup has four, and the parser in C ends the process at some ten thousand


def read_document(text: str, where: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The values of a YAML mapping by key, and the line of each key. Raises InputError."""
    if len(text) > LARGEST:
        raise InputError(N_("The file is too large for a setup."), where=where)
    try:
        _check_depth(text, where)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = read_yaml(text)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            N_("Line {line} is not YAML: {why}."),
            where=where,
            line=mark.line + 1 if mark else 1,
            why=getattr(error, "problem", None) or "it cannot be parsed",
        ) from None
    if not isinstance(document, dict) or not document or not isinstance(node, yaml.MappingNode):
        raise InputError(N_("A setup is a list of settings such as `learning_rate: 2e-4`."), where=where)
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    return {str(key): value for key, value in document.items()}, lines


def _check_depth(text: str, where: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise InputError(N_("Line {line} is nested too deeply for a setup."), where=where, line=line)
