"""`generate`: the same prompts to the base model and to the tuned one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lab.cli.arguments import Commands, add_run_argument, command
from lab.cli.output import Output
from lab.cli.waiting import failure_of, wait_for
from lab.cli.words import percent
from lab.errors import InputError
from lab.text import N_


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(commands, "generate", "ask the base model and the tuned one", generate)
    add_run_argument(added)
    added.add_argument("--prompt", action="append", default=[], metavar="TEXT", help="as often as wanted")
    added.add_argument("--prompts", metavar="FILE", help="a text file with one prompt a line")
    added.add_argument("--which", choices=("both", "base", "tuned"), default="both", help="default: both")
    added.add_argument("--max-new-tokens", type=int, default=60, metavar="N", help="longest answer (default 60)")
    added.add_argument("--temperature", type=float, default=0.0, help="0 (default) is greedy: always the same answer")
    added.add_argument("--seed", type=int, default=42, help="start of the random choices (default 42)")


def generate(arguments: argparse.Namespace, output: Output) -> int:
    """Queue the generation, wait for it, and print the answers."""
    from lab.cli.runs import resolve
    from lab.runs import client

    run, prompts = resolve(arguments.id), _prompts(arguments)
    parameters = {
        "run": run,
        "prompts": prompts,
        "which": ["base", "tuned"] if arguments.which == "both" else [arguments.which],
        "max_new_tokens": arguments.max_new_tokens,
        "temperature": arguments.temperature,
        "seed": arguments.seed,
        "session": False,
    }
    view = wait_for(client.submit_request("generate", parameters, parent=run))
    if view.state != "succeeded":
        return failure_of(view, output)
    outputs = (view.result or {}).get("outputs") or []
    lines: list[str] = []
    for prompt in prompts:
        lines += ["", prompt]
        lines += [f"  {one['model']:<6}{said(one)}" for one in outputs if one["prompt"] == prompt]
    output.answer({"run": run, "outputs": outputs}, lines[1:])
    return 0


def said(output: dict[str, Any]) -> str:
    """An answer, or a label with how sure the model is of it."""
    text = output["text"].strip()
    return f"{text}  {percent(output['scores'][text])}" if output.get("scores") else text


def _prompts(arguments: argparse.Namespace) -> list[str]:
    prompts = list(arguments.prompt)
    if arguments.prompts:
        try:
            text = Path(arguments.prompts).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                N_("The file {path} cannot be read: {why}."),
                where="--prompts",
                path=arguments.prompts,
                why=error,
            ) from None
        prompts += [line for line in text.splitlines() if line.strip()]
    if not prompts:
        raise InputError(N_("There is no prompt."), where="--prompt", next=N_('Write --prompt "What does len do?"'))
    return prompts
