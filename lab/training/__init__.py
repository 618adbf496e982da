"""Supervised fine-tuning of causal language models."""

from lab.training import libraries as libraries  # before torch: it settles how torch will compute
