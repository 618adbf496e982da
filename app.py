"""The launcher: one ASGI application around the pages.

The script that holds the navigation lives in `pages/main.py`, because Streamlit runs a page alone when its script and
a folder called `pages` stand side by side. No page logic belongs here.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from lab.ui.gate import Gate
from lab.ui.start import warm_up
from lab.ui.upload_route import ROUTES


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """Load what every page needs once, then take it out of the garbage collector's sight.

    Streamlit collects garbage after every script run; without the freeze each run walks all imported modules.
    """
    warm_up()
    gc.collect()
    gc.freeze()
    yield


app = st.App(
    Path(__file__).parent / "pages" / "main.py", lifespan=lifespan, routes=ROUTES, middleware=[Middleware(Gate)]
)
