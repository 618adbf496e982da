"""Numbers as a person reads them in a terminal."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Seconds as 0:42, 12:05, 3:07:30 or 11.6 days; empty for None."""
    if seconds is None:
        return ""
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:,.1f} days"
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def number(value: float | int | None, digits: int = 3) -> str:
    """A number with thousands marked; empty for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def metric(name: str, value: float | None) -> str:
    """The value of a metric; a learning rate as 2.1e-5."""
    if value is None or "learning_rate" not in name:
        return number(value, 4)
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}" if value else "0"


def percent(share: float | None) -> str:
    """A share from 0 to 1 as a whole percentage; empty for None."""
    return "" if share is None else f"{100 * share:.0f} %"


def gib(value: float | None) -> str:
    """GiB with its unit; empty for None."""
    return "" if value is None else f"{value:,.2f} GiB"
