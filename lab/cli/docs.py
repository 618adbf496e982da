"""docs/cli.md and docs/settings.md, drawn from the tree of commands and from the declaration of the settings.

python -m lab.cli.docs writes both; with --check it only tells, by its exit code, whether they are up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.cli.tree import DESCRIPTION, EPILOG, parser
from lab.spec import Setting, settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
MADE = "<!-- Made by `python -m lab.cli.docs` from the code; edit that. -->"

ENVIRONMENT = {
    "LAB_HOME": "The folder that holds runs, data sets and models; default: the platform's folder for user data.",
    "LAB_STOP_GRACE_S": "Seconds that a run may take to stop and seal a checkpoint before it is ended; default 120.",
    "HF_TOKEN": "The token that `publish` uses; no other command and no worker sees it.",
    "HF_ENDPOINT": "Another address of the Hugging Face Hub.",
    "HF_HUB_OFFLINE": "1 keeps a run that names a Hub model to what is in the cache.",
}


def cli_page() -> str:
    """The reference of the command line."""
    lines = ["# Command line", "", MADE, "", DESCRIPTION, ""]
    lines += [f"`python -m lab COMMAND`. {EPILOG}", ""]
    lines += [
        "`--json` prints one object on standard output; everything else goes to standard error. An error is",
        '`{"error": {"kind", "message", "where", "allowed", "next"}}`.',
    ]
    lines += ["", "| environment | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT.items()]
    for words, command in _leaves(parser(), ()):
        lines += ["", f"## {' '.join(words)}", "", _sentence(command.description or ""), ""]
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| {_form(action)} | {_sentence(action.help or '')} |" for action in _arguments(command)]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The reference of the settings of a run."""
    heads = ["| name | default | meaning | allowed | source of the default |", "|---|---|---|---|---|"]
    lines = ["# Settings of a run", "", MADE, ""]
    lines += [
        "Each can be set on the page, in a spec (`python -m lab train --spec FILE`), and on the command line",
        "as `--set NAME=VALUE`.",
    ]
    group = None
    for setting in settings():
        if setting.group != group:
            group = setting.group
            lines += ["", f"## {group or 'run'}", "", *heads]
        lines.append(_row(setting))
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or check them."""
    options = argparse.ArgumentParser(prog="python -m lab.cli.docs", description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing; 1 when a page is out of date")
    check = options.parse_args(arguments).check
    pages = {DOCS / "cli.md": cli_page(), DOCS / "settings.md": settings_page()}
    old = [path for path, text in pages.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in old:
        if check:
            sys.stderr.write(f"docs/{path.name} is out of date; write it with: python -m lab.cli.docs\n")
        else:
            path.write_text(pages[path], encoding="utf-8")
    return 1 if check and old else 0


def _leaves(
    command: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    groups = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield words, command
    for action in groups:
        for name, below in action.choices.items():
            yield from _leaves(below, (*words, name))


def _arguments(command: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in command._actions if not isinstance(action, argparse._HelpAction)]


def _form(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    if action.nargs == 0:
        return f"`{action.option_strings[0]}`"
    value = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.metavar or "VALUE"
    required = ", required" if action.required else ""
    return f"`{action.option_strings[0]} {value}`{required}".replace("|", "\\|")


def _row(setting: Setting) -> str:
    default = "nothing" if setting.default in (None, "", {}) else f"`{setting.default}`"
    cells = [
        f"`{setting.path}`",
        default,
        f"{setting.label}. {setting.help}",
        setting.allowed,
        setting.source,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") or not text else ".")


if __name__ == "__main__":
    sys.exit(main())
