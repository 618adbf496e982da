"""The steps between a file's rows and the split: repair, filter, find duplicates; each reports what it did."""

from lab.data.steps.report import StepReport
from lab.data.steps.run import run_steps

__all__ = ["StepReport", "run_steps"]
