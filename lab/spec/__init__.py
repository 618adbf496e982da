"""What a run is: RunSpec and its parts, declared once."""

from lab.spec.run import (
    CheckpointSpec,
    DataSpec,
    EngineSpec,
    EvaluationSpec,
    MethodSpec,
    ModelSpec,
    PreparationSpec,
    RegularisationSpec,
    ResourceSpec,
    RunSpec,
    ScheduleSpec,
    SpeedSpec,
)
from lab.spec.settings import Setting, setting_at, settings
from lab.spec.text import (
    difference,
    dump,
    dump_commented,
    load,
    loads,
    read_overrides,
    value_at,
    with_overrides,
)
from lab.spec.validate import build, check, conflicts

__all__ = [
    "CheckpointSpec",
    "DataSpec",
    "EngineSpec",
    "EvaluationSpec",
    "MethodSpec",
    "ModelSpec",
    "PreparationSpec",
    "RegularisationSpec",
    "ResourceSpec",
    "RunSpec",
    "ScheduleSpec",
    "Setting",
    "SpeedSpec",
    "build",
    "check",
    "conflicts",
    "difference",
    "dump",
    "dump_commented",
    "load",
    "loads",
    "read_overrides",
    "setting_at",
    "settings",
    "value_at",
    "with_overrides",
]
