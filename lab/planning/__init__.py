"""Formulas: batch, steps, epochs, warmup, learning rate, LoRA size, memory, FLOPs and time, and the plan they
make.
"""

from lab.planning.plan import Plan, plan
from lab.planning.registry import Formula, formula_named, formulas
from lab.planning.schedule import schedule_curve

__all__ = ["Formula", "Plan", "formula_named", "formulas", "plan", "schedule_curve"]
