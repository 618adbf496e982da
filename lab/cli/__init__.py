"""The command line: the pages' twin.

Every command prints for people, or with `--json` one object on standard output and everything else on
standard error. It ends with 0 (done), 1 (failed), 2 (wrong input) or 3 (not found).
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from lab.cli.output import Output
from lab.cli.tree import parser
from lab.errors import LabError
from lab.text import N_


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(as_json="--json" in words)
    try:
        parsed = parser().parse_args(words)
        return int(parsed.run(parsed, output))
    except LabError as error:
        output.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        output.note(N_("Interrupted. Runs that were started go on: python -m lab runs list"))
        return LabError.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; there is nobody left to tell
        return LabError.exit_code
    except Exception as error:  # the last place where a failure can become a sentence
        traceback.print_exc()
        output.error(LabError(N_("Unexpected: {what}."), what=f"{type(error).__name__}: {error}"))
        return LabError.exit_code
