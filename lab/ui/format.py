"""Numbers as a person reads them: thousands separated, sizes in GiB, times in words, learning rates as 2e-4."""

from __future__ import annotations

import math
import re

from lab.ui.language import _, language

_NARROW_SPACE = "\u202f"


def number(value: float | None, digits: int = 0) -> str:
    """A number with its thousands separated; None is "not known"."""
    if value is None or not math.isfinite(value):
        return _("not known")
    text = f"{value:,.{digits}f}"
    if language() == "fr":
        text = text.replace(",", _NARROW_SPACE).replace(".", ",")
    return text


def share(value: float | None, digits: int = 0) -> str:
    """A share from 0 to 1 as a percentage."""
    if value is None:
        return _("not known")
    return number(100 * value, digits) + ("\u00a0%" if language() == "fr" else "%")


def learning_rate(value: float | None) -> str:
    """A learning rate in scientific notation: 0.0002 is 2e-4."""
    if value is None:
        return _("not known")
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def gib(value: float | None) -> str:
    """A size in GiB, small ones in MiB."""
    if value is None:
        return _("not known")
    if value < 2**-20:
        return _("{count} bytes", count=number(value * 2**30))
    if value < 0.001:
        return f"{number(value * 2**20)} KiB"
    if value < 0.1:
        return f"{number(value * 1024, 0 if value * 1024 >= 10 else 1)} MiB"
    return f"{number(value, 1 if value >= 1 else 2)} GiB"


def duration(seconds: float | None) -> str:
    """Seconds as "45 s", "12 min" or "1 h 12 min"."""
    if seconds is None or not math.isfinite(seconds):
        return _("not known")
    if seconds < 1:
        return _("under 1 s")
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return _("{days} days", days=number(minutes / 1440, 1))


def loss(value: float | None) -> str:
    """A loss with three digits after the point below 1, else two."""
    if value is None or not math.isfinite(value):
        return _("not known")
    return number(value, 3 if value < 1 else 2)


def tidy_exponents(text: str) -> str:
    """Learning rates inside a sentence as 2e-4, not 2e-04."""
    return re.sub(r"(\de[-+]?)0(\d)", r"\1\2", text)


def ago(seconds: float) -> str:
    """How long ago something was."""
    if seconds < 60:
        return _("just now")
    return _("{time} ago", time=duration(seconds))
