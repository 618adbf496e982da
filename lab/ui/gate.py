"""The gate in front of Streamlit: it sees every HTTP request and every WebSocket before the framework does.

It lets only this machine's own pages in (Host and Origin), closes the endpoints that the lab does not use, and adds
the security headers. `connect-src` and `default-src` keep the page from asking anything of another host.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.ui.visitor import new_cookie

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
CLOSED = ("/_stcore/metrics", "/_stcore/agent")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

# Vega compiles its expressions, Streamlit styles its elements inline and loads the script of a component (our uploader)
# as a blob that the page itself made; none of them reaches outside.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Gate:
    """ASGI middleware that refuses foreign hosts and origins with 403 and closed endpoints with 404."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        status = refusal(scope)
        if status is None:
            await self.app(scope, receive, _with_headers(send, _cookie(scope)))
        elif scope["type"] == "http":
            await PlainTextResponse("Not allowed.", status)(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})


def refusal(scope: Scope) -> int | None:
    """The HTTP status with which a request is refused, or None when it may pass."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "")
    if host.rsplit(":", 1)[0] not in LOCAL_NAMES and host not in LOCAL_NAMES:
        return 403
    if scope["path"].startswith(CLOSED):
        return 404
    changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
    origin = headers.get("origin")
    if changes and origin is not None and urlsplit(origin).netloc != host:
        return 403
    return None


def _cookie(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """The header that names a browser which comes for a page for the first time."""
    if scope["type"] != "http" or scope["method"] != "GET" or "." in scope["path"] or "/_stcore" in scope["path"]:
        return ()
    sent = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"cookie")
    made = new_cookie(sent)
    return ((b"set-cookie", made.encode()),) if made else ()


def _with_headers(send: Send, more: tuple[tuple[bytes, bytes], ...] = ()) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS, *more]
        await send(message)

    return send_with_headers
