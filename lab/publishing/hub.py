"""The calls to the Hub that publishing makes, with their failures as sentences.

`HF_ENDPOINT` and `HF_HUB_OFFLINE` are read when huggingface_hub is imported: they belong in the environment.
No exception leaves this module with a token, a header or a chain of causes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError
from huggingface_hub.utils import set_client_factory
from huggingface_hub.utils._http import default_client_factory

from lab.errors import InputError, LabError
from lab.publishing.secrets import redacted, usable_token
from lab.text import N_

CONNECT_S, ANSWER_S = 15.0, 300.0  # the library waits for ever; a commit of large files may take minutes


@dataclass(frozen=True)
class Account:
    """Who a token belongs to: name, whether it may write, and the organisations that it may write to.

    `limited` says that the token is fine-grained, so that only the Hub knows what it may do where.
    """

    name: str
    can_write: bool
    orgs: tuple[str, ...] = ()
    limited: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The answer to `whoami` that the page reads."""
        return {"name": self.name, "can_write": self.can_write, "orgs": list(self.orgs)}


@dataclass(frozen=True)
class Published:
    """What is in the repository after the upload: commit, whether it is private, the path of every file."""

    commit: str
    private: bool
    files: tuple[str, ...]


class Hub:
    """The Hub as one token sees it."""

    def __init__(self, token: str, *, answer_s: float = ANSWER_S) -> None:
        self._token = usable_token(token)
        set_client_factory(lambda: _client(answer_s))
        self._api = huggingface_hub.HfApi(token=self._token)

    def account(self) -> Account:
        """Who the token belongs to. Raises InputError for a token that the Hub does not know."""
        with self._sentences():
            return _account(self._api.whoami())

    def visibility(self, repository: str) -> bool | None:
        """Whether a repository is private; None when there is none that this token may see."""
        with self._sentences(repository):
            try:
                return bool(self._api.model_info(repository).private)
            except RepositoryNotFoundError:
                return None

    def create(self, repository: str, *, private: bool) -> None:
        """Make the repository, unless it exists."""
        with self._sentences(repository):
            self._api.create_repo(repository, private=private, exist_ok=True)

    def upload(self, repository: str, folder: Path, *, message: str, replaced: list[str]) -> None:
        """Send all files of `folder`; remote files that match `replaced` and are not in it are removed.

        What arrived before a failure is not sent again the next time.
        """
        with self._sentences(repository):
            self._api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message=message, delete_patterns=replaced
            )

    def verify(self, repository: str, folder: Path) -> Published:
        """Compare every file of `folder` with what the Hub says it has. Raises LabError when one differs."""
        with self._sentences(repository):
            info = self._api.model_info(repository, files_metadata=True)
        there = {sibling.rfilename: sibling for sibling in info.siblings or []}
        for path in sorted(folder.iterdir()):
            if path.name not in there or not _same(path, there[path.name]):
                raise LabError(
                    N_("{file} is not in {repository} as it was sent."),
                    where=repository,
                    next=N_("Publish again: what is there already is not sent twice."),
                    file=path.name,
                    repository=repository,
                )
        return Published(str(info.sha), bool(info.private), tuple(sorted(there)))

    def address(self, repository: str) -> str:
        """Where a person finds the repository."""
        return f"{self._api.endpoint}/{repository}"

    @contextmanager
    def _sentences(self, repository: str = "") -> Iterator[None]:
        try:
            yield
        except HfHubHTTPError as error:
            raise self._refusal(error, repository) from None
        except OfflineModeIsEnabled:
            raise LabError(
                N_("The network is switched off for this program."),
                where="HF_HUB_OFFLINE",
                next=N_("Unset HF_HUB_OFFLINE and publish again."),
            ) from None
        except (httpx2.HTTPError, OSError) as error:
            raise LabError(
                N_("The Hub at {endpoint} cannot be reached: {why}."),
                next=N_("Check the network and publish again: what is there already is not sent twice."),
                endpoint=self._api.endpoint,
                why=self._reason(error),
            ) from None
        except (RuntimeError, ValueError) as error:  # hf_xet and the checks of huggingface_hub itself
            raise LabError(N_("The upload failed: {why}."), where=repository, why=self._reason(error)) from None

    def _refusal(self, error: HfHubHTTPError, repository: str) -> LabError:
        status, why = error.response.status_code, self._reason(error)
        for statuses, kind, sentence, way_out in _REFUSALS:
            if status in statuses:
                return kind(
                    sentence,
                    where=repository or "token",
                    next=way_out,
                    repository=repository,
                    status=status,
                    why=why,
                )
        return LabError(
            N_("The Hub answered {status}: {why}."),
            where=repository,
            next=N_("Try again later: what is there already is not sent twice."),
            status=status,
            why=why,
        )

    def _reason(self, error: Exception) -> str:
        text = getattr(error, "server_message", None) or str(error) or type(error).__name__
        return redacted(" ".join(str(text).split()), self._token)[:300].rstrip(".")


_REFUSALS: tuple[tuple[tuple[int, ...], type[LabError], str, str], ...] = (
    (
        (401,),
        InputError,
        N_("The Hub does not accept this token."),
        N_("Make a new one that may write at huggingface.co/settings/tokens."),
    ),
    (
        (402, 413),
        LabError,
        N_("The Hub has no room for this in {repository}: {why}."),
        N_("Free some space there, or publish the adapter instead of the whole model."),
    ),
    (
        (403,),
        InputError,
        N_("This token may not do that in {repository}: {why}."),
        N_("Give it the right to write there, or choose a repository of your own."),
    ),
    (
        (404,),
        InputError,
        N_("The Hub knows no {repository} that this token may see."),
        N_("Check the name and what the token may do."),
    ),
    (
        (409, 412),
        LabError,
        N_("Somebody else changed {repository} meanwhile: {why}."),
        N_("Look at what is there and publish again."),
    ),
    ((400, 422), InputError, N_("The Hub refused what was sent to {repository}: {why}."), ""),
    (
        (429,),
        LabError,
        N_("The Hub asks to wait: too many calls in a short time."),
        N_("Try again in some minutes: what is there already is not sent twice."),
    ),
)


def _client(answer_s: float) -> httpx2.Client:
    client = default_client_factory()
    client.timeout = httpx2.Timeout(answer_s, connect=CONNECT_S)
    return client


def _account(answer: dict[str, Any]) -> Account:
    access = (answer.get("auth") or {}).get("accessToken") or {}
    limited = access.get("role") == "fineGrained"
    scopes = (access.get("fineGrained") or {}).get("scoped") or []
    writes = any("repo.write" in (scope.get("permissions") or []) for scope in scopes)
    orgs = [org["name"] for org in answer.get("orgs") or [] if org.get("roleInOrg") != "read"]
    return Account(str(answer["name"]), writes if limited else access.get("role") != "read", tuple(orgs), limited)


def _same(path: Path, sibling: Any) -> bool:
    """Whether the Hub's record names the content of `path`: sha256 of a large file, git's of a small one."""
    if sibling.size != path.stat().st_size:
        return False
    if sibling.lfs is not None:
        return bool(sibling.lfs.sha256 == _digest(path, hashlib.sha256()))
    return bool(sibling.blob_id == _digest(path, hashlib.sha1(b"blob %d\0" % sibling.size, usedforsecurity=False)))


def _digest(path: Path, digest: Any) -> str:
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return str(digest.hexdigest())
