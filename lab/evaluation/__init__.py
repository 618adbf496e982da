"""Measuring what a finished run has learned."""
