"""How work says that it was cut short because somebody asked for it."""


class Interrupted(Exception):
    """The work was asked to stop before it was done."""
