"""The parts of a run spec, one file each: every setting is declared here and nowhere else."""

from lab.spec.parts.checkpoints import CheckpointSpec
from lab.spec.parts.data import DataSpec
from lab.spec.parts.engine import EngineSpec
from lab.spec.parts.evaluation import EvaluationSpec
from lab.spec.parts.method import MethodSpec
from lab.spec.parts.model import ModelSpec
from lab.spec.parts.part import Part
from lab.spec.parts.preference import PreferenceSpec
from lab.spec.parts.preparation import PreparationSpec
from lab.spec.parts.regularisation import RegularisationSpec
from lab.spec.parts.resources import ResourceSpec
from lab.spec.parts.schedule import ScheduleSpec
from lab.spec.parts.speed import SpeedSpec
from lab.spec.parts.tasks import TasksSpec

__all__ = [
    "CheckpointSpec",
    "DataSpec",
    "EngineSpec",
    "EvaluationSpec",
    "MethodSpec",
    "ModelSpec",
    "Part",
    "PreferenceSpec",
    "PreparationSpec",
    "RegularisationSpec",
    "ResourceSpec",
    "ScheduleSpec",
    "SpeedSpec",
    "TasksSpec",
]
