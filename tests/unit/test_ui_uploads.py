"""Uploads go to disk part by part, only from a page of the lab, and leave nothing behind when they fail."""

import asyncio
import errno
import json
import tracemalloc
from collections import namedtuple

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from lab.errors import InputError, LabError, NotFoundError
from lab.ui import uploads
from lab.ui.gate import Gate
from lab.ui.upload_route import ADDRESS, ROUTES

HOST = "http://127.0.0.1:8501"
APP = Gate(Starlette(routes=ROUTES))
NAMES = [
    "../../../../tmp/pwn.csv",
    "/etc/cron.d/x.csv",
    "..\\..\\windows\\x.csv",
    "a\nb.csv",
    "a\x00b.csv",
    "\x1b[31mred.csv",
    "\u202eevil.csv",
    "x" * 4000 + ".csv",
    "",
    ".",
    "..",
    "<img src=x onerror=alert(1)>.csv",
]


def headers(name="faq.csv", **changed):
    token = generate_xsrf_token_string()
    sent = {"origin": HOST, "x-xsrftoken": token, "cookie": f"_streamlit_xsrf={token}", "x-file-name": name}
    return {key: value for key, value in {**sent, **changed}.items() if value is not None}


def stored():
    folder = uploads.lab_home() / "uploads"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def client():
    return TestClient(APP, base_url=HOST)


def test_a_body_becomes_a_file_under_an_id_of_its_own(client, lab_home):
    answer = client.post(ADDRESS, content=b"question,answer\na,b\n", headers=headers("mes%20donn%C3%A9es.csv"))
    assert answer.status_code == 200
    found = uploads.find(answer.json()["upload"])
    assert found.path.read_bytes() == b"question,answer\na,b\n"
    assert found.path.is_relative_to(lab_home / "uploads") and found.path.name == "source.csv"
    assert found.name == "mes données.csv"


@pytest.mark.parametrize(
    "wrong",
    [{"x-xsrftoken": None}, {"cookie": None}, {"x-xsrftoken": "2|a|b|1"}, {"origin": None}],
    ids=["no token", "no cookie", "another token", "no origin"],
)
def test_what_does_not_come_from_a_page_is_refused(client, wrong):
    assert client.post(ADDRESS, content=b"x", headers=headers(**wrong)).status_code == 403
    assert stored() == []


def test_a_page_of_somebody_else_is_refused(client):
    assert client.post(ADDRESS, content=b"x", headers=headers(origin="http://evil.example")).status_code == 403
    assert client.post(ADDRESS, content=b"x", headers=headers(host="evil.example")).status_code == 403
    assert client.get(ADDRESS).status_code == 405
    assert stored() == []


def test_an_empty_file_is_refused_and_leaves_nothing(client):
    answer = client.post(ADDRESS, content=b"", headers=headers())
    assert answer.status_code == 413
    assert "is empty" in answer.json()["error"]["message"]
    assert stored() == []


def test_a_file_that_is_too_large_is_refused_before_it_is_read_and_while_it_grows(client, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 3 << 20)
    announced = client.post(ADDRESS, content=b"x", headers=headers(**{"content-length": str(4 << 20)}))
    assert announced.status_code == 413
    grown = asyncio.run(post(64 << 10, 64))[0]
    assert grown == 413
    assert stored() == []


def test_a_full_disk_is_said_with_what_to_do_and_nothing_stays(client, monkeypatch):
    facts = namedtuple("facts", "f_bavail f_frsize")(10, 4096)
    monkeypatch.setattr(uploads.disk.os, "statvfs", lambda _path: facts)
    answer = client.post(ADDRESS, content=b"x", headers=headers())
    assert answer.status_code == 507
    assert "GiB free" in answer.json()["error"]["message"]
    assert "Free some space" in answer.json()["error"]["next"]
    assert stored() == []


def test_a_disk_that_fills_up_on_the_way_is_said_too():
    incoming = uploads.Incoming("faq.csv")

    class Full:
        def write(self, _part):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    incoming._file.close()
    incoming._file = Full()
    with pytest.raises(LabError, match="No space left on device"):
        incoming.write(b"x")
    incoming.abandon()
    assert stored() == []


async def post(size, parts, *, leave_after=None):
    """Send `parts` parts of `size` bytes as a browser does; the status of the answer and the id."""
    sent, answers = 0, []

    async def receive():
        nonlocal sent
        if leave_after is not None and sent >= leave_after:
            return {"type": "http.disconnect"}
        sent += 1
        return {"type": "http.request", "body": bytes(size), "more_body": sent < parts}

    async def send(message):
        answers.append(message)

    given = headers() | {"host": "127.0.0.1:8501"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": ADDRESS,
        "query_string": b"",
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
    }
    await APP(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in answers[1:])
    return answers[0]["status"], json.loads(body) if body else {}


def test_a_large_file_passes_through_a_few_mebibytes_of_memory():
    asyncio.run(post(64 << 10, 2))  # what is imported on the way is not counted
    tracemalloc.start()
    status, answer = asyncio.run(post(64 << 10, 2048))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert status == 200
    assert uploads.find(answer["upload"]).path.stat().st_size == 128 << 20
    assert peak < 8 << 20


def test_a_browser_that_goes_away_leaves_nothing():
    asyncio.run(post(1 << 20, 10, leave_after=4))
    assert stored() == []


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_folder_or_breaks_a_line(name, lab_home, tmp_path):
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(lab_home)}
    from io import BytesIO

    found = uploads.find(uploads.keep(BytesIO(b"a,b\n"), name))
    assert found.path.parent.parent == lab_home / "uploads"
    assert found.path.name in ("source", "source.csv")
    assert found.name and len(found.name) <= 120 and found.name.isprintable() and "/" not in found.name
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(lab_home)} == before


def test_a_torn_upload_is_not_found_and_old_ones_are_swept(monkeypatch):
    torn = uploads.Incoming("faq.csv")
    torn.write(b"x")
    with pytest.raises(NotFoundError):
        uploads.find(torn.id)
    monkeypatch.setattr(uploads, "KEPT_SECONDS", -1)
    newer = uploads.Incoming("faq.csv")
    assert stored() == [newer.id]
    newer.abandon()


def test_what_is_no_id_is_not_found():
    for identifier in ("", "..", "../runs", "x" * 26, "01JZZZZZZZZZZZZZZZZZZZZZZZ"):
        with pytest.raises(NotFoundError):
            uploads.find(identifier)


def test_an_empty_file_is_an_input_error():
    from io import BytesIO

    with pytest.raises(InputError, match="is empty"):
        uploads.keep(BytesIO(b""), "faq.csv")
    assert stored() == []
