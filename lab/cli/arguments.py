"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from lab.cli.output import Output

Commands = Any  # argparse keeps the class of its sub-parsers to itself
Run = Callable[[argparse.Namespace, Output], int]


def command(commands: Commands, name: str, help: str, run: Run, *, description: str = "") -> argparse.ArgumentParser:
    """Add a command that `run` carries out; every one has `--json`."""
    added: argparse.ArgumentParser = commands.add_parser(name, help=help, description=description or help)
    added.add_argument("--json", action="store_true", help="print one JSON object")
    added.set_defaults(run=run)
    return added


def group(commands: Commands, name: str, help: str) -> Commands:
    """Add a group of commands such as `runs`."""
    added = commands.add_parser(name, help=help, description=help)
    return added.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_spec_arguments(to: argparse.ArgumentParser) -> None:
    """What a spec is built from: defaults, then --recipe, then --spec, then --set."""
    to.add_argument("--spec", metavar="FILE", help="a YAML file with settings")
    to.add_argument("--recipe", metavar="ID", help="start from a recipe of the catalogue")
    add_set_argument(to)


def add_set_argument(to: argparse.ArgumentParser) -> None:
    """`--set NAME=VALUE`, as often as wanted."""
    to.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change one setting, such as schedule.learning_rate=2e-4; docs/settings.md lists them",
    )


def add_waiting_arguments(to: argparse.ArgumentParser) -> None:
    """Whether the command waits for the run."""
    either = to.add_mutually_exclusive_group()
    either.add_argument("--wait", action="store_true", help="wait for the end; Ctrl-C leaves the run going")
    either.add_argument("--detach", action="store_true", help="return at once (this is what happens without --wait)")


def add_run_argument(to: argparse.ArgumentParser) -> None:
    """The run that a command is about."""
    to.add_argument("id", metavar="ID", help="a run's id, or `last` for the newest training")
