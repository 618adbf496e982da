"""Where a setup's model and rows are for another tool, and in which form the rows are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.models import facts_of
from lab.models.location import locate
from lab.planning import Plan
from lab.presets import presets_dir, read_yaml
from lab.runs import registry
from lab.runs.home import is_id
from lab.runs.network import is_data_on_hub
from lab.spec import RunSpec

EVALUATIONS = 10  # over a run whose spec names no interval

# The roles of a kind of rows; the first kind whose needed roles are all there is the one.
KINDS: dict[str, tuple[str, ...]] = {
    "instruction": ("instruction", "output"),
    "question-answer": ("question", "answer"),
    "prompt-completion": ("prompt", "completion"),
    "messages": ("messages",),
    "text": ("text",),
}
_TEMPLATES = {"instruction": "alpaca", "question-answer": "question-answer", "messages": "question-answer"}


NO_ROWS = "YOUR_DATA.jsonl"  # stands in an export while no data set is chosen


@dataclass(frozen=True)
class Rows:
    """The rows of a setup: a file or a data set of the Hub, its columns' roles, kind and template.

    `kind` and `template` are empty while nobody has looked at the rows. `has_split`: the rows name their own part.
    """

    source: str
    on_hub: bool
    columns: dict[str, str]
    kind: str
    template: str
    has_split: bool = False

    @property
    def builder(self) -> str:
        """What `datasets.load_dataset` calls the file's format."""
        ending = Path(self.source).suffix.lower()
        return {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".txt": "text"}.get(ending, "json")


def rows_of(spec: RunSpec, *, kind: str = "", columns: Mapping[str, str] | None = None) -> Rows:
    """Where the rows of a spec are and what they look like.

    `kind` and `columns` (role -> column) are what an inspection of the file found. Raises NotFoundError for a
    prepared data set that does not exist.
    """
    source, roles = spec.data.source, dict(columns or spec.data.columns)
    has_split = False
    if source == "demo":
        kind, roles, has_split = "question-answer", {"question": "question", "answer": "answer"}, True
        source = str(presets_dir() / "demo" / "questions.jsonl")
    elif is_id(source):
        record: dict[str, Any] = registry.dataset(source)
        source = str(registry.dataset_path(source) / "rows.jsonl")
        kind, has_split = str(record["kind"]), True
        roles = {role: role for role in record.get("mapping", {})}
    elif not source.strip():
        source = NO_ROWS  # an empty path would name the folder that the lab runs in
    elif is_data_on_hub(source):
        source = source.removeprefix("hub:")
    else:
        source = str(Path(source).expanduser().absolute())
    kind = kind or _kind(roles)
    return Rows(source, is_data_on_hub(spec.data.source), roles, kind, _template(spec, kind), has_split)


def model_of(spec: RunSpec) -> str:
    """What `from_pretrained` takes: a folder or a Hub id."""
    return locate(spec.model.source).load_from


def forms(template: str) -> list[dict[str, str]]:
    """The forms of a template (presets/templates): prompt, completion, and when each is used."""
    text = (presets_dir() / "templates" / f"{template}.yaml").read_text(encoding="utf-8")
    found: list[dict[str, str]] = read_yaml(text).get("forms", [])
    return found


def evaluation_steps(spec: RunSpec, plan: Plan | None) -> int | None:
    """Optimizer steps between two evaluations: as named, else a tenth of the plan's steps; None if not known."""
    if spec.evaluation.every_steps:
        return spec.evaluation.every_steps
    steps = spec.schedule.max_steps or (plan.steps if plan else None)
    return None if steps is None else max(1, math.ceil(steps / EVALUATIONS))


def _kind(columns: Mapping[str, str]) -> str:
    return next((kind for kind, needed in KINDS.items() if set(needed) <= set(columns)), "")


def _template(spec: RunSpec, kind: str) -> str:
    """The template that the lab would use; empty when that depends on rows nobody has looked at."""
    if spec.data.template != "auto":
        return spec.data.template
    if kind in ("text", "prompt-completion"):
        return "plain"
    if kind and facts_of(spec.model.source).has_chat_template:
        return "chat"
    return _TEMPLATES.get(kind, "")
