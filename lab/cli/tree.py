"""The tree of commands, from which help and docs/cli.md are drawn."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from lab.cli import (
    check,
    data,
    demo,
    doctor,
    evaluate,
    find_batch,
    find_lr,
    generate,
    plan,
    publish,
    recipes,
    runs,
    train,
)
from lab.errors import InputError
from lab.text import N_

DESCRIPTION = "Plan, run, watch, compare and publish fine-tunes of language models."
EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong input, 3 not found. Every command has --help."


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are the lab's own errors."""

    def __init__(self, **options: Any) -> None:
        # Whole names only: a later version may add an option that makes a shortened one mean two things.
        super().__init__(**options | {"allow_abbrev": False})

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:
        """Complain of unknown words here, where the command is known whose help lists the known ones."""
        found, unknown = super().parse_known_args(*arguments, **options)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise the complaint instead of printing it: `--json` prints it as an object."""
        raise InputError(
            N_("{complaint}."),
            where=self.prog,
            next=N_("See: {prog} --help"),
            complaint=message,
            prog=self.prog,
        )


def parser() -> Parser:
    """The whole tree."""
    root = Parser(prog="python -m lab", description=DESCRIPTION, epilog=EPILOG)
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        demo,
        recipes,
        plan,
        check,
        data,
        train,
        find_lr,
        find_batch,
        runs,
        generate,
        evaluate,
        publish,
        doctor,
    ):
        module.add(commands)
    return root
