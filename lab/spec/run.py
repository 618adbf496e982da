"""RunSpec: the one declaration of every setting of a run; its parts are in `lab.spec.parts`, one file each.

From it come the form on the page, `--set` and `--help` on the command line, the YAML with its comments,
`docs/settings.md`, the difference between two runs, and the errors that name a field. Adding a setting is one edit
in its part. Which settings go together is decided in `lab.spec.rules`.
"""

from __future__ import annotations

from typing import Literal

from lab.spec.declare import setting
from lab.spec.parts import (
    CheckpointSpec,
    DataSpec,
    EngineSpec,
    EvaluationSpec,
    MethodSpec,
    ModelSpec,
    Part,
    PreferenceSpec,
    PreparationSpec,
    RegularisationSpec,
    ResourceSpec,
    ScheduleSpec,
    SpeedSpec,
    TasksSpec,
)
from lab.text import N_

SCHEMA_VERSION: Literal[1] = 1


class RunSpec(Part):
    """Everything that a run needs to be repeated: the same spec on the same data gives the same run."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = setting("", N_("Name"), N_("Shown in lists; it need not be unique."), level="basic")
    recipe: str = setting("", N_("Recipe"), N_("The recipe of the catalogue that the run started from."))
    task: Literal[
        "causal-lm", "classification", "token-classification", "extractive-qa", "multi-task", "preference"
    ] = setting("causal-lm", N_("Task"), N_("What the model learns to do."))
    seed: int = setting(
        42,
        N_("Seed"),
        N_("Start of every random choice: split, order, adapter initialisation, dropout."),
        minimum=0,
        maximum=2**32 - 1,
        source="usual practice",
    )
    model: ModelSpec = setting(ModelSpec, N_("Model"), N_("Which model is tuned."))
    method: MethodSpec = setting(MethodSpec, N_("Method"), N_("How much of the model is trained."))
    data: DataSpec = setting(DataSpec, N_("Data"), N_("What the model learns from."))
    tasks: TasksSpec = setting(TasksSpec, N_("Tasks"), N_("What only tasks with labels need."))
    preference: PreferenceSpec = setting(
        PreferenceSpec, N_("Preference"), N_("How the model learns which of two answers is the better one.")
    )
    preparation: PreparationSpec = setting(
        PreparationSpec, N_("Preparation"), N_("What happens to the rows between the file and the examples.")
    )
    schedule: ScheduleSpec = setting(ScheduleSpec, N_("Schedule"), N_("How long, how fast and in what batches."))
    regularisation: RegularisationSpec = setting(
        RegularisationSpec, N_("Regularisation"), N_("What works against overfitting.")
    )
    evaluation: EvaluationSpec = setting(
        EvaluationSpec, N_("Evaluation"), N_("What is measured while the model learns.")
    )
    checkpoints: CheckpointSpec = setting(
        CheckpointSpec, N_("Checkpoints"), N_("When the state of the run is sealed on disk.")
    )
    resources: ResourceSpec = setting(ResourceSpec, N_("Resources"), N_("What the run may use."))
    speed: SpeedSpec = setting(
        SpeedSpec, N_("Speed"), N_("What makes the run faster without changing what it learns.")
    )
    engine: EngineSpec = setting(EngineSpec, N_("Engine"), N_("What starts the worker."))
