"""What the app does once, before the first page: load the drawing libraries and see to the supervisor."""

from __future__ import annotations

import logging

from lab.errors import LabError


def warm_up() -> None:
    """Import what the first page would otherwise import, and let a supervisor adopt the runs that are on."""
    import pandas  # noqa: F401  # loaded here, so that the first visitor does not wait for it

    from lab.catalogue.recipes import recipes
    from lab.runs import client

    try:
        recipes()
        client.ensure_supervisor()
    except (LabError, OSError) as error:
        logging.getLogger("lab").warning("The lab started without its supervisor: %s", error)
