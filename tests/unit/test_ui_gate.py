"""The gate lets this machine's own pages in and nobody else."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lab.ui.gate import Gate


async def page(_request):
    return PlainTextResponse("page")


async def socket(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@pytest.fixture
def client():
    routes = [Route("/{path:path}", page, methods=["GET", "PUT"]), WebSocketRoute("/_stcore/stream", socket)]
    return TestClient(Gate(Starlette(routes=routes)), base_url="http://127.0.0.1:8501")


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "localhost"])
def test_own_pages_pass_with_security_headers(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8501", ""])
def test_a_foreign_host_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/interact"])
def test_endpoints_that_the_lab_does_not_use_are_closed(client, path):
    assert client.get(path).status_code == 404


def test_a_foreign_page_cannot_upload(client):
    assert client.put("/_stcore/upload_file/x", headers={"origin": "http://evil.example"}).status_code == 403
    assert client.put("/_stcore/upload_file/x", headers={"origin": "http://127.0.0.1:9999"}).status_code == 403
    assert client.put("/_stcore/upload_file/x", headers={"origin": "http://127.0.0.1:8501"}).status_code == 200


@pytest.mark.parametrize(("origin", "allowed"), [("http://evil.example", False), ("http://127.0.0.1:8501", True)])
def test_only_an_own_page_can_open_the_socket(client, origin, allowed):
    headers = {"origin": origin, "host": "127.0.0.1:8501"}
    if allowed:
        with client.websocket_connect("/_stcore/stream", headers=headers) as own:
            assert own.receive_text() == "hello"
    else:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/_stcore/stream", headers=headers):
            pass
