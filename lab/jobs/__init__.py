"""Running jobs: one supervisor, a shim for each attempt, and the worker that does the work."""
