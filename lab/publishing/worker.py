"""The job of kind `publish`: check, card, upload, verify."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.data.templates import free_prompt
from lab.data.tokenizer import frame_of, load_tokenizer
from lab.errors import InputError, InputErrors, LabError
from lab.json_io import read_json, write_json
from lab.publishing import bundle
from lab.publishing.base import Base, base_of
from lab.publishing.card import Facts, model_card
from lab.publishing.head import Head, head_of
from lab.publishing.hub import Hub
from lab.publishing.merge import merged_model
from lab.publishing.names import full_name
from lab.publishing.usage import Prompt
from lab.runs import publishable
from lab.runs.base import check_base
from lab.runs.directory import RunDirectory
from lab.runs.events import EventWriter
from lab.runs.home import is_id
from lab.runs.network import hub_data
from lab.runs.registry import dataset
from lab.runs.secret import fetch_secret
from lab.runs.stopping import StopFlag
from lab.text import N_

STOPPED = {"ended": "stopped"}


@dataclass(frozen=True)
class Request:
    """The parameters of a publication, as request.json has them.

    `what` is adapter (a fully tuned model goes as it is) or merged. `task` names the model of a run of several tasks,
    which is whole. `base_model` is the Hub id of the model
    that the adapter is loaded onto, empty for the one that the run names. `licence` goes into the card; empty
    leaves it open.
    """

    run: str
    repository: str
    private: bool = True
    what: str = "adapter"
    base_model: str = ""
    licence: str = ""
    task: str = ""

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Request:
        """Read the parameters. Raises InputError for what is missing or wrong."""
        known = {name: parameters[name] for name in cls.__dataclass_fields__ if parameters.get(name) is not None}
        for name in ("run", "repository"):
            if not known.get(name):
                raise InputError(N_("A publication needs {name}."), where=name, name=name)
        request = cls(**known)
        if request.what not in ("adapter", "merged"):
            raise InputError(
                N_("{what} cannot be published."),
                where="what",
                allowed=N_("Allowed: adapter, merged."),
                what=request.what,
            )
        if known.get("private", True) is not True and known["private"] is not False:
            raise InputError(N_("private is true or false."), where="private")
        return request


def run(directory: RunDirectory, events: EventWriter, stop: StopFlag, attempt: int) -> dict[str, Any]:
    """Publish a finished run; the token comes from whoever submitted the job, once.

    Returns {"ended", "repository", "url", "commit", "private", "files", "what"}.
    """
    request = Request.of(directory.parameters)
    return publish(directory, request, fetch_secret(directory.id), events, stop)


def publish(
    directory: RunDirectory, request: Request, token: str, events: EventWriter, stop: StopFlag
) -> dict[str, Any]:
    """The publication itself; `directory` is the job's, the bundle is made in it and removed afterwards."""
    folder = directory.path / "bundle"
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
    try:
        with events.phase("check"):
            source = _checked(directory.parameters | {"run": request.run, "what": request.what})
            base = base_of(source.spec.model.source, source.spec.model.revision, asked=request.base_model)
            _check_unchanged(source, request)
            hub = Hub(token)
            repository = _allowed(hub, request)
        with events.phase("card"):
            _make_bundle(folder, source, base, request, repository, token)
            _tell(events, base, request, folder)
        if stop.requested:  # so far nothing has left this machine
            return STOPPED
        with events.phase("upload"):
            _upload(hub, repository, folder, request, events)
        with events.phase("verify"):
            published = hub.verify(repository, folder)
            _check_visibility(hub, repository, asked=request.private, found=published.private)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "ended": "finished",
        "repository": repository,
        "url": hub.address(repository),
        "commit": published.commit,
        "private": published.private,
        "files": list(published.files),
        "what": request.what,
    }


def _checked(parameters: dict[str, Any]) -> RunDirectory:
    """The run, once all that its files tell against the publication is ruled out; asked before the queue, too."""
    found = publishable.problems(parameters)
    if found:
        raise found[0] if len(found) == 1 else InputErrors(found)
    return publishable.finished(str(parameters["run"]))


def _check_unchanged(source: RunDirectory, request: Request) -> None:
    """Refuse an adapter for a base that is still here but no longer the one that it was trained on.

    Whoever names another place for the base speaks of that one; a base that has gone cannot be compared, and a
    merged or fully tuned model needs none.
    """
    adapter = (source.final_path / "adapter_config.json").is_file()
    if not adapter or request.what == "merged" or request.base_model:
        return
    model = source.spec.model.source
    if Path(model).expanduser().is_absolute() and not Path(model).expanduser().is_dir():
        return
    check_base(source)


def _allowed(hub: Hub, request: Request) -> str:
    """The full name of the repository, once token, name and visibility are known to be right."""
    account = hub.account()
    if not account.can_write:
        raise InputError(
            N_("This token may only read."),
            where="token",
            next=N_("Make one that may write at huggingface.co/settings/tokens."),
        )
    repository = full_name(request.repository, account.name)
    owner = repository.split("/")[0]
    if owner not in (account.name, *account.orgs) and not account.limited:
        raise InputError(
            N_("{owner} is neither {name}, whose token this is, nor an organisation of {name}."),
            where="repository",
            allowed=N_("Allowed: {choices}."),
            owner=owner,
            name=account.name,
            choices=", ".join((account.name, *account.orgs)),
        )
    found = hub.visibility(repository)
    if found is not None:
        _check_visibility(hub, repository, asked=request.private, found=found)
    return repository


def _check_visibility(hub: Hub, repository: str, *, asked: bool, found: bool) -> None:
    """Stop when visibility is not as asked: the Hub keeps that of a repository that exists."""
    if asked and not found:
        raise InputError(
            N_("{repository} exists and is public: everybody could see what is uploaded."),
            where="repository",
            next=N_("Make it private at {url}, choose another name, or publish for everybody."),
            repository=repository,
            url=f"{hub.address(repository)}/settings",
        )
    if found and not asked:
        raise InputError(
            N_("{repository} exists and is private, but it was to be published for everybody."),
            where="repository",
            next=N_("Publish privately, or change its visibility at {url} first."),
            repository=repository,
            url=f"{hub.address(repository)}/settings",
        )


def _make_bundle(folder: Path, source: RunDirectory, base: Base, request: Request, repository: str, token: str) -> None:
    adapter = (source.final_path / "adapter_config.json").is_file()
    merged = adapter and request.what == "merged"
    weights = publishable.folder_of(source, request.task)
    head = head_of(weights)
    if merged:
        with merged_model(source.path, folder.with_name("merged")) as whole:
            bundle.fill(whole, folder, base)
    else:
        bundle.fill(weights, folder, base)
    if request.task and head is not None:
        (folder / publishable.TASK_FILE).unlink()  # a link to the run's own, which tells of all of its tasks
        write_json(folder / publishable.TASK_FILE, {"task": head.task, "labels": list(head.labels)})
    bundle.write_spec(folder, source.spec, base)
    facts = _facts(source, request, head, base)
    title = source.spec.name or repository.split("/")[1]
    made = merged or (facts.merged and not adapter)
    facts = replace(facts, title=title, repository=repository, adapter=adapter and not merged, merged=made)
    (folder / "README.md").write_text(model_card(facts), encoding="utf-8")
    bundle.inspect(folder, token)


def _facts(source: RunDirectory, request: Request, head: Head | None, base: Base) -> Facts:
    """What the card tells of the run, or of the one of its tasks that is published."""
    summary, data = read_json(source.review_path / "summary.json") or {}, _data(source)
    result = source.result or {}
    tasks = publishable.tasks_of(source.id)
    if request.task:
        held_out = {which: told["tasks"][request.task] for which, told in (summary.get("held_out") or {}).items()}
        data = data["tasks"][request.task] if "tasks" in data else {}
        summary, result = summary | {"held_out": held_out}, result | {"final": {}}
    return Facts(
        title="",
        repository="",
        base=base,
        spec=source.spec,
        adapter=False,
        merged=bool(tasks) and source.spec.method.adapts,
        prompt=None if tasks else _prompt(source),
        head=head,
        licence=request.licence,
        result=result,
        plan=source.plan,
        summary=summary,
        data=data,
        tasks=tasks,
    )


def _tell(events: EventWriter, base: Base, request: Request, folder: Path) -> None:
    sizes = [path.stat().st_size for path in folder.iterdir()]
    events.note(N_("{count} files, {size:.1f} MiB, are ready."), count=len(sizes), size=sum(sizes) / 2**20)
    if base.kind != "hub" and (folder / "adapter_config.json").exists():
        events.note(
            N_("The base model is not on the Hub: others need {base} to load this. Merged, they do not."),
            level="warning",
            base=base.name,
        )


def _upload(hub: Hub, repository: str, folder: Path, request: Request, events: EventWriter) -> None:
    hub.create(repository, private=request.private)
    # Asked again: another program may have made it meanwhile, or an organisation decides on visibility.
    _check_visibility(hub, repository, asked=request.private, found=bool(hub.visibility(repository)))
    hub.upload(repository, folder, message="Publish with the Fine-Tuning Lab", replaced=bundle.replaced_patterns())


def _prompt(source: RunDirectory) -> Prompt | None:
    """The form in which the model was asked in training, if the run tells."""
    told = (source.result or {}).get("data") or {}
    name, kind = told.get("template"), told.get("kind")
    if not name or not kind:
        return None
    if name == "chat":
        return Prompt(name)
    text = free_prompt("{question}", template=name, kind=kind, tokenizer=None).prompt
    if not frame_of(load_tokenizer(str(source.final_path))).keeps_blank:
        text = text.removesuffix(" ")  # in training the blank was the answer's first character
    return Prompt(name, text)


def _data(source: RunDirectory) -> dict[str, Any]:
    """What is known of the data: what the run reports, and the record of a prepared data set or file."""
    told = {name: value for name, value in ((source.result or {}).get("data") or {}).items() if value is not None}
    name = source.spec.data.source
    if on_hub := hub_data(name):
        return told | {"hub": on_hub.id}
    try:
        record = dataset(name) if is_id(name) else read_json(source.path / "data" / "dataset.json")
    except LabError:  # deleted since
        record = None
    return (record or {}) | told
