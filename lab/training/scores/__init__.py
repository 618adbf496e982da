"""How good the answers of a model with labels are: pure functions of what was right and what was said."""
