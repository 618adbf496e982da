"""The record of runs: directory, events, store and queue, registry, and the client that submits wishes.

Pages and the command line use `lab.runs.client` and `lab.runs.view`; workers use `lab.runs.directory`,
`lab.runs.events` and `lab.runs.stopping`.
"""
