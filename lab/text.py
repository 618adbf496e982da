"""Marking sentences for translation without depending on the page."""


def N_(message: str) -> str:
    """Mark `message` for the translation catalogue and return it unchanged (it is translated where it is drawn)."""
    return message


def fill(message: str, values: dict[str, object]) -> str:
    """Put `values` into the named placeholders of `message`; a message without values is returned as it stands."""
    return message.format(**values) if values else message
