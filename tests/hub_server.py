"""A loopback server that speaks the part of the Hub's API that publishing, models and data sets need.

Both upload routes of the real client work: LFS (HF_HUB_DISABLE_XET=1), and Xet, the default, for which the
server hands out a `local://` store that hf_xet reads and writes itself; client and server share a disk. There
is one branch, and there are no pull requests.

    with serve(folder, {"hf_x": Account("alice")}) as hub:  # hub.base is its address
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hub_state import Account, Blob, Hub, Refusal, Repo, is_large

__all__ = ["Account", "Hub", "serve"]

WHEN = "2026-01-01T00:00:00.000Z"
API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(.*))?")
LFS_BATCH = re.compile(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch")
DATA_API = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|xet-read-token)/(.+))?")
DATA_RESOLVE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
WRITES = ("preupload", "commit", "xet-write-token")


@contextmanager
def serve(root: Path, accounts: dict[str, Account]) -> Iterator[Hub]:
    """Run the server on a free port of the loopback interface while the block lasts."""
    hub = Hub(root, accounts)
    handler = type("HubHandler", (Handler,), {"hub": hub, "lock": threading.RLock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """One connection; `route` finds the answer, `Refusal` is any answer that is not a success."""

    protocol_version = "HTTP/1.1"
    hub: Hub
    lock: threading.RLock
    account: Account | None
    body: bytes

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output quiet; `hub.calls` has the record."""

    def do_GET(self) -> None:
        self.status, self.body = 0, self._read()
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        try:
            self.hub.fault(self.command, path)
            self.account = self._account(path)
            with self.lock:
                self.route(path)
        except Refusal as refusal:
            code = {"X-Error-Code": refusal.code} if refusal.code else {}
            self.answer({"error": refusal.message}, refusal.status, code | {"X-Error-Message": refusal.message})
        self.hub.calls.append((self.command, path, self.status))

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _account(self, path: str) -> Account | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        if not token or path.startswith("/_lfs/"):
            return None
        if token not in self.hub.accounts:
            raise Refusal(401, "Invalid user token.")
        return self.hub.accounts[token]

    def answer(self, body: Any, status: int = 200, headers: dict[str, str] | None = None, size: int = -1) -> None:
        """Send bytes as they are and anything else as JSON; `size` is the length to claim for a HEAD."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        claimed = {"Content-Type": kind, "Content-Length": str(size if size >= 0 else len(data))}
        for name, value in (claimed | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def route(self, path: str) -> None:
        """Find the call by its path."""
        if path == "/api/whoami-v2":
            self.who_am_i()
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self.create()
        elif path.startswith("/_lfs/"):
            self.lfs_content(path.removeprefix("/_lfs/"))
        elif found := LFS_BATCH.fullmatch(path):
            self.hub.repo(found[1], self.account, write=True)
            self.lfs_batch()
        elif found := API.fullmatch(path):
            self.model_call(found[1], (found[2] or "").split("/"))
        elif found := DATA_API.fullmatch(path):
            self.data_call(found[1], found[2] or "revision", found[3] or "main")
        elif found := DATA_RESOLVE.fullmatch(path):
            self.data_file(found[1], found[2], found[3])
        elif found := RESOLVE.fullmatch(path):
            self.resolve(found[1], found[2], found[3])
        else:
            raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    def signed_in(self) -> Account:
        if self.account is None:
            raise Refusal(401, "Invalid username or password.")
        return self.account

    def who_am_i(self) -> None:
        account = self.signed_in()
        access: dict[str, Any] = {"displayName": "test", "role": account.role, "createdAt": WHEN}
        if account.role == "fineGrained":
            entity = {"_id": "0" * 24, "type": "user", "name": account.name}
            access["fineGrained"] = {
                "global": [],
                "scoped": [{"entity": entity, "permissions": ["repo.content.read"]}],
            }
        orgs = [{"type": "org", "id": "0" * 24, "name": name, "roleInOrg": "write"} for name in account.orgs]
        auth = {"type": "access_token", "accessToken": access}
        self.answer({"type": "user", "id": "0" * 24, "name": account.name, "orgs": orgs, "auth": auth})

    def create(self) -> None:
        asked = json.loads(self.body)
        if self.signed_in().role == "read":
            raise Refusal(403, "Your token has no write permission")
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        repo_id, new = self.hub.create(self.signed_in(), asked["name"], asked.get("organization"), private)
        url = {"url": f"{self.hub.base}/{repo_id}", "name": repo_id, "id": "0" * 24}
        self.answer(url if new else url | {"error": "You already created this model repo"}, 200 if new else 409)

    def model_call(self, repo_id: str, parts: list[str]) -> None:
        call, revision = parts[0], parts[1] if len(parts) > 1 else "main"
        repo = self.hub.repo(repo_id, self.account, write=call in WRITES)
        if call in ("", "revision"):
            self.model_info(repo_id, repo, revision)
        elif call == "preupload":
            self.preupload(repo.at(revision)[1])
        elif call in ("xet-write-token", "xet-read-token"):
            self.xet_token()
        elif call == "commit":
            self.commit(repo_id, repo)
        elif call == "tree":
            self.tree(repo.at(revision)[1], "/".join(parts[2:]))
        else:
            raise Refusal(404, "Not found")

    def model_info(self, repo_id: str, repo: Repo, revision: str) -> None:
        sha, files = repo.at(revision)
        siblings = [{"rfilename": path} | _details(blob, "blobId") for path, blob in sorted(files.items())]
        about = {
            "_id": "0" * 24,
            "id": repo_id,
            "modelId": repo_id,
            "author": repo_id.split("/")[0],
            "sha": sha,
        }
        state = {
            "private": repo.private,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
        }
        self.answer(about | state | {"siblings": siblings, "createdAt": WHEN, "lastModified": WHEN})

    def data_call(self, repo_id: str, call: str, place: str) -> None:
        """What the Hub tells of a data set, its card included, or the files of a folder at a revision."""
        repo = self.hub.data(repo_id, self.account)
        if call == "xet-read-token":
            return self.xet_token()
        if call == "tree":
            revision, _, folder = place.partition("/")
            return self.tree(repo.at(revision)[1], folder)
        sha, files = repo.at(place)
        about = {"_id": "0" * 24, "id": repo_id, "author": repo_id.split("/")[0], "sha": sha, "cardData": repo.card}
        state: dict[str, Any] = {
            "private": repo.private,
            "gated": repo.gated or False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
        }
        siblings = [{"rfilename": path} | _details(blob, "blobId") for path, blob in sorted(files.items())]
        self.answer(about | state | {"siblings": siblings, "createdAt": WHEN, "lastModified": WHEN})

    def data_file(self, repo_id: str, revision: str, path: str) -> None:
        """One file of a data set; of a gated one only for who has an account here."""
        repo = self.hub.data(repo_id, self.account)
        if repo.gated and self.account is None:
            raise Refusal(401, f"Access to dataset {repo_id} is restricted.", "GatedRepo")
        self.send_file(f"datasets/{repo_id}", *repo.at(revision), path)

    def preupload(self, files: dict[str, Blob]) -> None:
        """Tell for each file how it is to be sent, and what is there already."""
        told = []
        for file in json.loads(self.body)["files"]:
            large = is_large(file["path"], file["size"], base64.b64decode(file["sample"]))
            known = files.get(file["path"])
            oid = (known.sha256 or known.oid) if known else None
            mode = "lfs" if large else "regular"
            told.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.answer({"files": told})

    def xet_token(self) -> None:
        store, until = f"local://{self.hub.root / 'cas'}", int(time.time()) + 3600
        headers = {"X-Xet-Cas-Url": store, "X-Xet-Access-Token": "xet", "X-Xet-Token-Expiration": str(until)}
        self.answer({"accessToken": "xet", "exp": until, "casUrl": store}, headers=headers)

    def commit(self, repo_id: str, repo: Repo) -> None:
        files, title = dict(repo.files), ""
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                title = value.get("summary", "")
                if value.get("parentCommit") not in (None, repo.main):
                    raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            elif item["key"] == "file":
                files[value["path"]] = Blob.small(base64.b64decode(value["content"]))
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored(value["oid"], int(value["size"]))
            elif item["key"] == "deletedFile":
                files.pop(value["path"], None)
        sha = repo.commit(files, title)
        self.answer({"success": True, "commitOid": sha, "commitUrl": f"{self.hub.base}/{repo_id}/commit/{sha}"})

    def tree(self, files: dict[str, Blob], folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        inside = {path: blob for path, blob in sorted(files.items()) if path.startswith(prefix)}
        if prefix and not inside:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        self.answer([{"type": "file", "path": path} | _details(blob, "oid") for path, blob in inside.items()])

    def resolve(self, repo_id: str, revision: str, path: str) -> None:
        """One file of a model."""
        self.send_file(f"models/{repo_id}", *self.hub.repo(repo_id, self.account).at(revision), path)

    def send_file(self, name: str, sha: str, files: dict[str, Blob], path: str) -> None:
        """The bytes of a file, or where Xet has them; `name` is models/ID or datasets/ID."""
        blob = files.get(path)
        if blob is None:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        headers = {"X-Repo-Commit": sha, "ETag": f'"{blob.oid}"', "Accept-Ranges": "bytes"}
        headers |= {"X-Linked-Etag": f'"{blob.sha256 or blob.oid}"', "X-Linked-Size": str(blob.size)}
        if blob.xet:
            route = f"{self.hub.base}/api/{name}/xet-read-token/{sha}"
            headers |= {"X-Xet-Hash": blob.xet, "Link": f'<{route}>; rel="xet-auth"'}
            if self.command != "HEAD":
                raise Refusal(501, "This file is in Xet storage and is read with hf_xet.")
            return self.answer(b"", headers=headers, size=blob.size)
        data = blob.data if blob.data is not None else self.hub.lfs_path(blob.sha256).read_bytes()
        self.answer(data, headers=headers)

    def lfs_batch(self) -> None:
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if not self.hub.lfs_path(wanted["oid"]).exists():
                upload = {"href": f"{self.hub.base}/_lfs/{wanted['oid']}"}
                entry["actions"] = {
                    "upload": upload,
                    "verify": {"href": f"{self.hub.base}/_lfs/verify", "header": {}},
                }
            objects.append(entry)
        self.answer({"transfer": "basic", "objects": objects})

    def lfs_content(self, name: str) -> None:
        if name == "verify":
            asked = json.loads(self.body)
            found = self.hub.lfs_path(asked["oid"])
            if not found.exists() or found.stat().st_size != asked["size"]:
                raise Refusal(404, "missing")
        elif hashlib.sha256(self.body).hexdigest() != name:
            raise Refusal(400, "the content does not match its sha256")
        else:
            self.hub.lfs_path(name).write_bytes(self.body)
        self.answer(b"", headers={"ETag": f'"{hashlib.md5(self.body).hexdigest()}"'})


def _details(blob: Blob, oid_name: str) -> dict[str, Any]:
    """Size and names of a blob as the listings give them."""
    details: dict[str, Any] = {oid_name: blob.oid, "size": blob.size}
    if blob.sha256:
        details["lfs"] = {"oid": blob.sha256, "sha256": blob.sha256, "size": blob.size, "pointerSize": 134}
    return details | ({"xetHash": blob.xet} if blob.xet else {})
