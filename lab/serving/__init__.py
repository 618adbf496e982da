"""Answers of base and tuned model of a run to a person's own questions, once or for as long as they ask."""
