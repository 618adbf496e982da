"""A data set of the Hub, by its name: its data files at one commit, each through the strict reader of a person's file.

Nothing of the repository runs, and nothing that a file points to is opened. No token is used: what needs one is read
once its files are in the Hub's own cache.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.data import limits
from lab.data.hub_layout import Layout, layout
from lab.data.options import Options
from lab.data.progress import Listener, NotesOnly, Stopped
from lab.data.reading import Reading, read
from lab.errors import InputError, LabError
from lab.runs.network import HubData, hub_data
from lab.text import N_

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo

ANSWER_S = 20.0
Stop = Callable[[], bool]


def read_hub(
    name: str, options: Options, folder: Path, listener: Listener | None = None, stop: Stop | None = None
) -> Reading:
    """The rows of a data set named as `lab.runs.network.hub_data` describes; parts that it names are kept as `split`.

    `facts["hub"]` tells commit, licence, gated and private state, configuration and files; `folder` holds rows for a
    moment. Raises InputError for what cannot be read, LabError when the Hub does not answer, Stopped.
    """
    wanted = hub_data("hub:" + name.removeprefix("hub:"))
    if wanted is None:
        raise _refusal(N_("{name} is not the name of a data set of the Hub."), name, next=_NAME)
    info, sizes = _info(wanted)
    found = layout(wanted, sizes, _card(info).get("configs"))
    paths = _fetched(wanted, str(info.sha), {path: sizes[path] for path in found.files}, listener, stop)
    reading = _joined(wanted, found, paths, options, folder, stop)
    reading.facts["hub"] = _about(wanted, info, found)
    if found.left_out:
        (listener or NotesOnly()).note(
            N_("{count} files of {name} hold other parts or forms and are left out."),
            count=len(found.left_out),
            name=str(wanted),
        )
    return reading


_NAME = N_("Write it as owner/name, such as rajpurkar/squad.")
_BY_HAND = N_("Accept its terms on its page, fetch it with {command}, and try again; or give a file of it.")


def _info(wanted: HubData) -> tuple[DatasetInfo, dict[str, int]]:
    """What the Hub tells of the data set, and the size of each of its files in bytes."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=False)
    with _sentences(wanted):
        info = api.dataset_info(
            wanted.id, revision=wanted.revision or None, files_metadata=True, timeout=ANSWER_S, token=False
        )
    return info, {one.rfilename: one.size or 0 for one in info.siblings or []}


def _card(info: DatasetInfo) -> dict[str, Any]:
    return info.card_data.to_dict() if info.card_data else {}


def _about(wanted: HubData, info: DatasetInfo, found: Layout) -> dict[str, Any]:
    licence = _card(info).get("license")
    return {
        "id": wanted.id,
        "config": found.config,
        "revision": wanted.revision,
        "commit": info.sha,
        "license": ", ".join(map(str, licence)) if isinstance(licence, list) else licence,
        "gated": bool(info.gated),
        "private": bool(info.private),
        "files": found.files,
        "left_out": found.left_out,
    }


def _fetched(
    wanted: HubData, commit: str, sizes: dict[str, int], listener: Listener | None, stop: Stop | None
) -> dict[str, Path]:
    """Where each file lies in the Hub's own cache; what lies there already is not fetched again."""
    from huggingface_hub import hf_hub_download

    paths, before, total = {}, 0, sum(sizes.values())
    for path, size in sizes.items():

        def heard(count: int, before: int = before, size: int = size) -> None:
            if listener and total:
                listener.progress(before + min(count, size), total)

        _check_stop(stop)
        with _stoppable(stop), _sentences(wanted):
            place = hf_hub_download(
                wanted.id,
                path,
                repo_type="dataset",
                revision=commit,
                endpoint=os.environ.get("HF_ENDPOINT") or None,
                etag_timeout=ANSWER_S,
                token=False,
                tqdm_class=_bar(heard, stop),
            )
        paths[path], before = Path(place), before + size
    if listener and total:
        listener.progress(total, total)
    return paths


@contextmanager
def _stoppable(stop: Stop | None) -> Iterator[None]:
    """A failure after the wish to stop is that of the fetching that was cut off."""
    try:
        yield
    except LabError:
        _check_stop(stop)
        raise


def _bar(heard: Callable[[int], None], stop: Stop | None) -> Any:
    """The progress bar of huggingface_hub that draws nothing, tells how many bytes have come, and can stop them."""
    from huggingface_hub.utils import tqdm
    from huggingface_hub.utils._xet import abort_xet_session

    class Bar(tqdm):
        most = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"disable": True})
            self.come = int(kwargs.get("initial") or 0)
            self.of_xet = "xet" in str(kwargs.get("name"))

        def update(self, n: float | None = 1) -> bool | None:
            self.come += int(n or 0)
            Bar.most = max(Bar.most, self.come)  # of one file there may be two bars: fetched, and written
            if self.of_xet:
                if stop and stop():
                    abort_xet_session()  # called out of Rust, where nobody catches an error of ours
            else:
                _check_stop(stop)
            heard(Bar.most)
            return None

    return Bar


def _joined(
    wanted: HubData, found: Layout, paths: dict[str, Path], options: Options, folder: Path, stop: Stop | None
) -> Reading:
    """All files as one; the first one decides kind and columns, which the others must have too."""
    joined: Reading | None = None
    for path, place in paths.items():
        _check_stop(stop)
        reading = read(place, options, folder, name=f"{wanted.id}/{path}", go_on=lambda: _check_stop(stop))
        if found.files[path]:
            reading.source.rows = [row | {"split": found.files[path]} for row in reading.source.rows]
        joined = _added(joined, reading, str(wanted))
        options = replace(options, kind=joined.source.kind, columns=joined.source.mapping)
    if joined is None:
        raise _refusal(N_("{name} has no rows."), str(wanted))
    return joined


def _added(joined: Reading | None, reading: Reading, name: str) -> Reading:
    if joined is None:
        source = reading.source
        return Reading(replace(source, name=name, dropped=Counter(source.dropped)), reading.facts)
    source = joined.source
    source.rows += reading.source.rows
    source.read += reading.source.read
    source.dropped.update(reading.source.dropped)
    problems = [*joined.facts.get("problems", []), *reading.facts.get("problems", [])]
    joined.facts["problems"] = problems[: limits.PROBLEMS]
    if source.read > limits.ROWS:
        raise _refusal(
            N_("{name} has more than {limit:,} rows."),
            name,
            next=N_("Name a smaller configuration, or download a file of it and give that."),
            limit=limits.ROWS,
        )
    return joined


@contextmanager
def _sentences(wanted: HubData) -> Iterator[None]:
    """The failures of the Hub's client as sentences."""
    import httpx2
    from huggingface_hub import errors

    name = wanted.id
    try:
        yield
    except errors.GatedRepoError:
        command = f"hf download {name} --repo-type dataset"
        raise _refusal(
            N_("The data set {name} is gated: its owner asks who reads it to accept terms."),
            name,
            next=_BY_HAND,
            command=command,
        ) from None
    except errors.RevisionNotFoundError:
        raise _refusal(N_("{name} has no revision {revision}."), name, revision=wanted.revision) from None
    except errors.RepositoryNotFoundError:
        raise _refusal(
            N_("The Hub shows no public data set called {name}."),
            name,
            next=N_("Check the spelling. Of a private data set, download a file and give that."),
        ) from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise _unreachable(name, _told(error)) from None
    except errors.HfHubHTTPError as error:
        raise _unreachable(name, f"HTTP {error.response.status_code}") from None
    except errors.HFValidationError:
        raise _refusal(N_("{name} is not the name of a data set of the Hub."), name, next=_NAME) from None
    except (httpx2.HTTPError, OSError, RuntimeError) as error:  # RuntimeError: of hf_xet
        raise _unreachable(name, _told(error)) from None


def _told(error: BaseException) -> str:
    return (str(error).strip().split("\n")[0] or type(error).__name__)[:200].rstrip(".")


def _unreachable(name: str, why: str) -> LabError:
    return LabError(
        N_("The data set {name} cannot be loaded from the Hub: {why}."),
        where="data.source",
        next=N_("Check your connection and try again, or download a file of it and give that."),
        name=name,
        why=why,
    )


def _check_stop(stop: Stop | None) -> None:
    if stop and stop():
        raise Stopped


def _refusal(sentence: str, name: str, /, *, next: str = "", **values: Any) -> InputError:
    return InputError(sentence, where="data.source", next=next, name=name, **values)
