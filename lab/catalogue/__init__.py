"""Recipes as data: what a document describes, what was published, what the lab would run, and the audit of
it.
"""

from lab.catalogue.audit import Check, audit
from lab.catalogue.recipes import Recipe, recipe, recipes, run_spec, run_values

__all__ = ["Check", "Recipe", "audit", "recipe", "recipes", "run_spec", "run_values"]
