"""Canonical rows of the tasks with labels as what a model takes: ids of tokens, and what each row teaches."""
