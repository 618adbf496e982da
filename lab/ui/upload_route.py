"""The way in for files: a route beside the pages that writes the body to disk as it arrives.

Streamlit's own uploader holds twice the file in memory. Here nothing is held but one part of a mebibyte, and a browser
that goes away leaves nothing behind. The gate has seen the request before (Host and Origin); the route asks for
Streamlit's double cookie as well, which a page of somebody else can neither read nor send.
"""

from __future__ import annotations

from http.cookies import SimpleCookie
from urllib.parse import unquote

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from streamlit.web.server.starlette.starlette_app_utils import validate_xsrf_token

from lab.errors import InputError, LabError
from lab.text import N_
from lab.ui.uploads import CHUNK, Incoming

ADDRESS = "/lab-upload"
_XSRF_COOKIE = "_streamlit_xsrf"


async def receive(request: Request) -> Response:
    """Take the body as a file whose name is in the header X-File-Name; answers {"upload": id} or {"error": ...}."""
    if not _comes_from_a_page(request):
        return _refused(InputError(N_("This upload does not come from a page of the lab."), where="upload"), 403)
    try:
        return JSONResponse({"upload": await _stored(request)})
    except InputError as error:
        return _refused(error, 413)
    except LabError as error:
        return _refused(error, 507)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it


async def _stored(request: Request) -> str:
    name = unquote(request.headers.get("x-file-name", ""), errors="replace")
    expected = request.headers.get("content-length", "")
    incoming = await to_thread.run_sync(Incoming, name, int(expected) if expected.isdecimal() else 0)
    try:
        held = bytearray()
        async for part in request.stream():
            held += part
            if len(held) >= CHUNK:
                await to_thread.run_sync(incoming.write, held)
                held = bytearray()
        await to_thread.run_sync(incoming.write, held)
        return await to_thread.run_sync(incoming.finish)
    except BaseException:
        incoming.abandon()
        raise


def _comes_from_a_page(request: Request) -> bool:
    """Whether header and cookie carry the same token, and the browser names one of our pages as the origin."""
    cookies = SimpleCookie(request.headers.get("cookie", ""))
    cookie = cookies[_XSRF_COOKIE].value if _XSRF_COOKIE in cookies else None
    origin = request.headers.get("origin", "")
    return bool(origin) and validate_xsrf_token(request.headers.get("x-xsrftoken"), cookie)


def _refused(error: LabError, status: int) -> Response:
    # The rest of the body is not read: the connection ends with the answer.
    return JSONResponse({"error": error.as_dict()}, status, headers={"Connection": "close"})


ROUTES = [Route(ADDRESS, receive, methods=["POST"])]
