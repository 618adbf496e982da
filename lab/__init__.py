"""The Fine-Tuning Lab: plan, run, watch, compare and publish fine-tunes of language models."""

__version__ = "0.1.0"
