"""What the loopback Hub of the tests knows: accounts, repositories, commits, and where file contents lie.

Written from the calls of the installed huggingface_hub. Contents that came by LFS lie in `lfs/` under their
sha256; contents that came by Xet lie in `cas/`, where hf_xet itself keeps them (a `local://` store).
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LFS_ENDINGS = (".safetensors", ".bin", ".gguf", ".onnx", ".parquet", ".arrow", ".npz")
LFS_SIZE = 10 * 2**20  # larger files are stored apart from the commit
REPOSITORY_NAME = re.compile(r"(?!.*(--|\.\.))[\w.-]{1,96}")


class Refusal(Exception):
    """An answer of the Hub that is not a success: status, sentence and, in a header, a code."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class Account:
    """Who a token belongs to and what it may do; `role` is read, write or fineGrained."""

    name: str
    role: str = "write"
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blob:
    """One file of a commit; small ones carry their bytes, large ones the sha256 of theirs and a Xet hash."""

    oid: str
    size: int
    data: bytes | None = None
    sha256: str = ""
    xet: str = ""

    @classmethod
    def small(cls, data: bytes) -> Blob:
        return cls(git_oid(data), len(data), data)

    @classmethod
    def large(cls, sha256: str, size: int, xet: str) -> Blob:
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        return cls(git_oid(pointer.encode()), size, None, sha256, xet)


@dataclass
class Repo:
    """One repository: its commits (id -> path -> blob), the branch `main`, and who may see it.

    Of a data set, `card` is the metadata of its card, `gated` is "auto" or "manual", and `refs` has other branches.
    """

    private: bool
    main: str = ""
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)
    gated: str = ""
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, Blob], title: str) -> str:
        seed = json.dumps([self.main, title, sorted(files), time.time_ns()])
        self.main = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[self.main] = files
        self.titles.append(title)
        return self.main

    def at(self, revision: str) -> tuple[str, dict[str, Blob]]:
        sha = self.main if revision in ("main", "HEAD") else self.refs.get(revision, revision)
        if sha not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha, self.commits[sha]

    @property
    def files(self) -> dict[str, Blob]:
        return self.commits[self.main]


@dataclass
class Hub:
    """Everything behind the server; `accounts` maps a token to who holds it."""

    root: Path
    accounts: dict[str, Account]
    repos: dict[str, Repo] = field(default_factory=dict)
    data_sets: dict[str, Repo] = field(default_factory=dict)
    calls: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, status
    faults: list[tuple[str, str, int, int]] = field(default_factory=list)  # method, pattern, status, times
    base: str = ""

    def __post_init__(self) -> None:
        for name in ("lfs", "cas"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def fail(self, method: str, pattern: str, status: int, times: int = 1) -> None:
        """Answer the next `times` calls whose path has `pattern` with `status`."""
        self.faults.append((method, pattern, status, times))

    def fault(self, method: str, path: str) -> None:
        for number, (wanted, pattern, status, times) in enumerate(self.faults):
            if times and wanted == method and re.search(pattern, path):
                self.faults[number] = (wanted, pattern, status, times - 1)
                raise Refusal(status, "a fault that the test asked for")

    def create(self, account: Account, name: str, organization: str | None, private: bool) -> tuple[str, bool]:
        """Make a repository; answers its id and whether it was new."""
        owner = organization or account.name
        if owner not in (account.name, *account.orgs):
            raise Refusal(403, f'You don\'t have the rights to create a model under the namespace "{owner}"')
        if not REPOSITORY_NAME.fullmatch(name):
            raise Refusal(400, "Invalid repo name")
        repo_id = f"{owner}/{name}"
        if repo_id in self.repos:
            return repo_id, False
        repo = self.repos[repo_id] = Repo(private)
        repo.commit(
            {".gitattributes": Blob.small(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n")},
            "initial commit",
        )
        return repo_id, True

    def add_data(
        self,
        repo_id: str,
        files: dict[str, bytes],
        *,
        ref: str = "main",
        private: bool = False,
        gated: str = "",
        **card: Any,
    ) -> str:
        """A commit with these files in a data set, which is made if it is new; answers the commit's id."""
        repo = self.data_sets.setdefault(repo_id, Repo(private, gated=gated))
        repo.card |= card
        main = repo.main
        sha = repo.commit({path: Blob.small(data) for path, data in files.items()}, "data")
        if ref != "main":
            repo.refs[ref], repo.main = sha, main
        return sha

    def data(self, repo_id: str, account: Account | None) -> Repo:
        """The data set as this account may see it."""
        return self._seen(self.data_sets.get(repo_id), repo_id, account)

    def repo(self, repo_id: str, account: Account | None, *, write: bool = False) -> Repo:
        """The repository as this account may see it; what may not be seen does not exist."""
        repo = self._seen(self.repos.get(repo_id), repo_id, account)
        if write and not self._is_member(repo_id, account):
            raise Refusal(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")
        if write and account is not None and account.role == "read":
            raise Refusal(403, "Your token has no write permission")
        return repo

    def _seen(self, repo: Repo | None, repo_id: str, account: Account | None) -> Repo:
        if repo is None or (repo.private and not self._is_member(repo_id, account)):
            raise Refusal(404 if account else 401, "Repository not found", "RepoNotFound")
        return repo

    def _is_member(self, repo_id: str, account: Account | None) -> bool:
        return account is not None and repo_id.split("/")[0] in (account.name, *account.orgs)

    def lfs_path(self, sha256: str) -> Path:
        return self.root / "lfs" / sha256

    def stored(self, sha256: str, size: int) -> Blob:
        """The blob of a large file whose content has arrived. Raises Refusal when it has not."""
        xet = "" if self.lfs_path(sha256).exists() else self._xet_hash(sha256)
        if xet is None:
            raise Refusal(400, "Your push was rejected because an LFS pointer pointed to a file that does not exist")
        return Blob.large(sha256, size, xet)

    def _xet_hash(self, sha256: str) -> str | None:
        """The Xet hash of the content with this sha256, from the shards that hf_xet wrote."""
        words = struct.pack("<4Q", *(int(sha256[start : start + 16], 16) for start in range(0, 64, 16)))
        for shard in (self.root / "cas").rglob("*.mdb"):
            for name, digest in _shard_files(shard.read_bytes()):
                if digest in (words, bytes.fromhex(sha256)):
                    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", name))
        return None


def git_oid(data: bytes) -> str:
    """The name that git gives to this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(path: str, size: int, sample: bytes) -> bool:
    """Whether the Hub keeps this file apart from the commit."""
    return size > LFS_SIZE or path.endswith(LFS_ENDINGS) or b"\0" in sample


def _shard_files(shard: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(Xet hash, sha256) of the files that a shard of hf_xet describes: a header, records of 48 bytes."""
    at, record = 48, 48
    while at + record <= len(shard) and shard[at : at + 32] != b"\xff" * 32:
        name = shard[at : at + 32]
        flags, entries = struct.unpack_from("<II", shard, at + 32)
        at += record * (1 + entries * (2 if flags >> 31 & 1 else 1))
        if flags >> 30 & 1:  # with a metadata record, which begins with the sha256
            yield name, shard[at : at + 32]
            at += record
