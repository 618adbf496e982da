"""How a data set is to be prepared, taken from a run's spec or from the request of a `prepare` job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from lab.spec import PreparationSpec, RunSpec, build


@dataclass(frozen=True)
class Options:
    """The settings that decide which examples come out; names and meanings as in `lab.spec`.

    `columns` maps roles to columns and `kind` names the kind of data; empty, both are found. `encoding` is
    needed for a file that is neither UTF-8 nor UTF-16; it, `delimiter`, `quote`, `text_unit` and `format` say how
    the file is read (`lab.data.said`), empty where that is to be found. `batch` (rows) and `packing` shape
    no example: the figures about padding are computed for them.
    """

    template: str = "auto"
    model: str = "demo"
    revision: str = ""
    max_length: int = 512
    too_long: str = "drop"
    completion_only: bool = True
    validation_share: float = 0.1
    seed: int = 42
    columns: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    text_unit: str = ""
    format: str = ""
    preparation: PreparationSpec = field(default_factory=PreparationSpec)
    batch: int = 4
    packing: bool = False

    @classmethod
    def of_spec(cls, spec: RunSpec) -> Options:
        """The options in a run's spec."""
        data = spec.data
        return cls(
            template=data.template,
            model=spec.model.source,
            revision=spec.model.revision,
            max_length=data.max_length,
            too_long=data.too_long,
            completion_only=data.completion_only,
            validation_share=data.validation_share,
            seed=spec.seed,
            columns=dict(data.columns),
            encoding=data.encoding,
            preparation=spec.preparation,
            batch=spec.schedule.per_device_batch,
            packing=data.packing,
        )

    @classmethod
    def of_request(cls, request: Mapping[str, Any]) -> Options:
        """The options in the request of a `prepare` job; what it does not name keeps the default of the spec.

        Raises InputErrors for values that the spec does not allow.
        """
        given = {name: value for name, value in request.items() if value is not None}
        data = {name: given[name] for name in _IN_DATA if name in given}
        tree: dict[str, Any] = {"data": data | {"columns": given.get("mapping", {})}}
        tree["model"] = {"source": given.get("model", "demo"), "revision": given.get("revision", "")}
        tree["preparation"] = given.get("preparation", {})
        tree["schedule"] = {"per_device_batch": given["batch"]} if "batch" in given else {}
        options = cls.of_spec(build(tree | ({"seed": given["seed"]} if "seed" in given else {})))
        return replace(options, **{name: given[name] for name in _OF_THE_FILE if name in given})

    def as_dict(self) -> dict[str, Any]:
        """The options as JSON."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return values | {"preparation": self.preparation.model_dump(mode="json")}


_IN_DATA = ("template", "max_length", "too_long", "completion_only", "validation_share", "packing")
_OF_THE_FILE = ("kind", "encoding", "delimiter", "quote", "text_unit", "format")
