"""`publish`: a finished run's adapter to the Hugging Face Hub."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from lab.cli.arguments import Commands, add_run_argument, command
from lab.cli.output import Output, facts
from lab.cli.waiting import failure_of, wait_for
from lab.errors import InputError, InputErrors
from lab.text import N_


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(
        commands,
        "publish",
        "upload a finished run to the Hugging Face Hub",
        publish,
        description="Upload a finished run to the Hugging Face Hub. The token is read from HF_TOKEN or, with"
        " --token-stdin, from standard input, or asked for; it is never written down or passed on.",
    )
    add_run_argument(added)
    added.add_argument("--repository", required=True, metavar="OWNER/NAME", help="where to, such as me/my-adapter")
    added.add_argument("--public", action="store_true", help="for everybody; without it the repository is private")
    added.add_argument("--what", choices=("adapter", "merged"), default="adapter", help="default: adapter")
    added.add_argument(
        "--task", default="", metavar="NAME", help="of a run of several tasks: the one that is published"
    )
    added.add_argument("--base-model", default="", metavar="HUB_ID", help="the base model's Hub id for the model card")
    added.add_argument("--token-stdin", action="store_true", help="read the token from standard input")


def publish(arguments: argparse.Namespace, output: Output) -> int:
    """Queue the upload with the token held in this process, wait for it, and print where it went."""
    from lab.cli.runs import resolve
    from lab.runs import client, publishable

    run = resolve(arguments.id)
    parameters = {
        "run": run,
        "repository": arguments.repository,
        "private": not arguments.public,
        "what": arguments.what,
        "base_model": arguments.base_model,
        "task": arguments.task,
    }
    if found := publishable.problems(parameters):
        raise found[0] if len(found) == 1 else InputErrors(found)
    job = client.submit_request("publish", parameters, parent=run, secret=_token(arguments))
    view = wait_for(job)
    if view.state != "succeeded":
        return failure_of(view, output)
    result = view.result or {}
    pairs = [(key, result.get(key)) for key in ("repository", "url", "commit", "private")]
    output.answer({"run": run, **result}, facts(pairs))
    return 0


def _token(arguments: argparse.Namespace) -> str:
    if arguments.token_stdin:
        token = sys.stdin.readline().strip()
    elif os.environ.get("HF_TOKEN"):
        token = os.environ["HF_TOKEN"]
    elif sys.stdin.isatty():
        token = getpass.getpass("Token that may write (it is not shown): ").strip()
    else:
        token = ""
    if not token:
        raise InputError(
            N_("There is no token."),
            where="--token-stdin",
            next=N_("Set HF_TOKEN, or pipe the token in with --token-stdin."),
        )
    return token
