"""`python -m lab`: everything that the pages do, from the command line."""

import sys

from lab.cli import main

sys.exit(main())
