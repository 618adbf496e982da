"""Who looks at the lab: one name by chance for each browser, in a cookie that the gate sets and the draft reads."""

from __future__ import annotations

import re
import secrets
from http.cookies import CookieError, SimpleCookie

import streamlit as st

COOKIE = "lab-visitor"
_YEAR_S = 365 * 24 * 3600
_NAME = re.compile(r"[0-9a-f]{32}")


def visitor() -> str:
    """The name of this browser; empty where it keeps no cookies."""
    return _known(str(st.context.cookies.get(COOKIE, "")))


def new_cookie(header: str) -> str:
    """The Set-Cookie value for a browser that sent this Cookie header; empty for one that has its name already."""
    try:
        sent = SimpleCookie(header)
    except CookieError:
        sent = SimpleCookie()
    if COOKIE in sent and _known(sent[COOKIE].value):
        return ""
    return f"{COOKIE}={secrets.token_hex(16)}; Path=/; Max-Age={_YEAR_S}; HttpOnly; SameSite=Strict"


def _known(text: str) -> str:
    return text if _NAME.fullmatch(text) else ""
