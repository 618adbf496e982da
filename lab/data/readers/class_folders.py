"""A zip with one folder of texts for each class: the folder's name is the label."""

from __future__ import annotations

import stat
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from lab.data import limits
from lab.data.canonical import PARTS
from lab.data.encodings import marked, suggested
from lab.data.files import File
from lab.data.foreign import what_it_is
from lab.data.table import Table
from lab.errors import InputError
from lab.text import N_

_TEXTS = (".txt", ".md")
_BLOCK = 1 << 16
_LAYOUT = N_("Expected: a folder for each class, with .txt files in it, such as pos/1.txt and neg/1.txt.")


@dataclass(frozen=True)
class _Member:
    info: zipfile.ZipInfo
    label: str
    part: str


def read_folders(file: File) -> Table:
    """One row for each text in the zip: columns text, label, file, and split where folders name parts of one.

    Texts are read one by one, each UTF-8 (or UTF-16 with its mark) or else in the encoding that was said. Raises
    InputError for a zip that leads outside itself, holds links, or unpacks to more than the limits.
    """
    try:
        archive = zipfile.ZipFile(file.path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise file.refusal(
            N_("{name} is not a readable zip file: {why}."),
            next=N_("Pack the folders again."),
            name=file.name,
            why=str(error)[:120],
        ) from None
    infos = archive.infolist()
    _check(file, infos)
    table = Table("zip", file.said.encoding or "utf-8", iter(()), counted="files")
    members = _members(file, table, infos)
    table.columns = ["text", "label", "file", *(["split"] if any(member.part for member in members) else [])]
    table.rows = _rows(file, archive, members)
    return table


def _check(file: File, infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > limits.ARCHIVE_MEMBERS:
        raise _refusal(file, N_("{name} holds {count:,} files."), count=len(infos), limit=limits.ARCHIVE_MEMBERS)
    total = 0
    for info in infos:
        parts = PurePosixPath(info.filename).parts
        if info.filename.startswith("/") or ".." in parts or "\\" in info.filename or ":" in info.filename[:2]:
            raise _hostile(file, info, N_("{name} holds a file whose path leads outside: {member}."))
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _hostile(file, info, N_("{name} holds a link: {member}."))
        if info.flag_bits & 1:
            raise _hostile(file, info, N_("{name} is encrypted: {member}."))
        if info.file_size > limits.ARCHIVE_RATIO * max(info.compress_size, 1000):
            raise _hostile(file, info, N_("{name} holds a file that unpacks to {ratio} times its size: {member}."))
        total += info.file_size
    if total > limits.DECODED_BYTES:
        raise _refusal(
            file, N_("{name} unpacks to {size:.1f} GiB."), size=total / 2**30, limit=limits.DECODED_BYTES >> 30
        )
    if len({info.filename for info in infos}) != len(infos):
        raise _refusal(file, N_("{name} holds two files of the same path."))


def _members(file: File, table: Table, infos: list[zipfile.ZipInfo]) -> list[_Member]:
    """The texts with their labels; what is no text in a folder is left out and told."""
    texts = [info for info in infos if not info.is_dir() and _is_text(info.filename)]
    paths = [PurePosixPath(info.filename).parts[:-1] for info in texts]
    while paths and all(len(path) > 1 for path in paths) and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]  # one folder around everything
    others = [info.filename for info in infos if not info.is_dir() and not _is_text(info.filename)]
    members = []
    for info, path in zip(texts, paths, strict=True):
        part = PARTS.get(path[0].lower(), "") if len(path) > 1 else ""
        label = "/".join(path[1:] if part else path)
        if label:
            members.append(_Member(info, unicodedata.normalize("NFC", label), part))
        else:
            others.append(info.filename)
    if len({member.label for member in members}) < 2:
        raise file.refusal(
            N_("{name} does not hold folders of texts for at least two classes."),
            allowed=_LAYOUT,
            next=N_("Give the file inside on its own, or put the texts of each class into a folder."),
            name=file.name,
        )
    if others:
        table.tell(
            N_("{count} file is no text in the folder of a class and is left out: {names}.")
            if len(others) == 1
            else N_("{count} files are no text in the folder of a class and are left out: {names}."),
            None,
            count=len(others),
            names=", ".join(name[-60:] for name in others[:5]),
        )
    return members


def _is_text(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(_TEXTS)


def _rows(file: File, archive: zipfile.ZipFile, members: list[_Member]) -> Iterator[tuple[int, dict[str, str]]]:
    left = limits.DECODED_BYTES
    for number, member in enumerate(members, 1):
        content = _content(file, archive, member.info, number)
        left -= len(content)
        if left < 0:
            raise _refusal(file, N_("{name} unpacks to more than {limit} GiB."), limit=limits.DECODED_BYTES >> 30)
        row = {"text": _text(file, member.info, content, number), "label": member.label, "file": member.info.filename}
        yield number, row | ({"split": member.part} if member.part else {})


def _content(file: File, archive: zipfile.ZipFile, info: zipfile.ZipInfo, number: int) -> bytes:
    most, content = 4 * limits.CELL_CHARACTERS, bytearray()
    try:
        with archive.open(info) as member:
            while block := member.read(_BLOCK):  # what the directory says of its size is not believed
                content += block
                if len(content) > most:
                    raise _hostile(file, info, N_("{name} holds a text that is too long: {member}."))
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as error:
        raise _damaged(file, info, str(error)) from None
    except Exception as error:
        if type(error).__module__ not in ("zlib", "_lzma"):
            raise
        raise _damaged(file, info, str(error)) from None
    return bytes(content)


def _text(file: File, info: zipfile.ZipInfo, content: bytes, number: int) -> str:
    what = what_it_is(content[:512])
    if what:
        raise _hostile(file, info, N_("{name} holds a {what} that is called a text: {member}."), what=what)
    text, used = "", ""
    for encoding in dict.fromkeys((marked(content) or "utf-8", file.said.encoding)):
        if encoding and not used:
            try:
                text, used = content.decode(encoding), encoding
            except UnicodeDecodeError:
                continue
    if not used:
        raise _undecodable(file, info, content)
    if "\0" in text:
        raise _hostile(file, info, N_("{name} holds a text with a NUL character: {member}."))
    if len(text) > limits.CELL_CHARACTERS:
        raise _hostile(file, info, N_("{name} holds a text that is too long: {member}."))
    return text.replace("\r\n", "\n")


def _undecodable(file: File, info: zipfile.ZipInfo, content: bytes) -> InputError:
    likely = suggested(content)
    return file.refusal(
        N_("{name} holds a text that is not UTF-8: {member}."),
        allowed=N_("UTF-8 and UTF-16 are recognised."),
        next=N_("It looks like {suggested}: name that encoding if it is; texts that are UTF-8 are read as UTF-8.")
        if likely
        else N_("Name the encoding; texts that are UTF-8 are read as UTF-8."),
        name=file.name,
        member=info.filename[-120:],
        suggested=likely,
    )


def _damaged(file: File, info: zipfile.ZipInfo, why: str) -> InputError:
    return file.refusal(
        N_("{name} holds a damaged file: {member} ({why})."),
        next=N_("Pack the folders again."),
        name=file.name,
        member=info.filename[-120:],
        why=why[:80],
    )


def _hostile(file: File, info: zipfile.ZipInfo, sentence: str, **values: object) -> InputError:
    ratio = info.file_size // max(info.compress_size, 1)
    return _refusal(file, sentence, member=info.filename[-120:], ratio=ratio, **values)


def _refusal(file: File, sentence: str, **values: object) -> InputError:
    return file.refusal(
        sentence,
        allowed=N_("Allowed: up to {members:,} plain texts of up to {characters:,} characters, {total} GiB in all."),
        next=N_("Pack only the folders with the texts, without links and paths that lead elsewhere."),
        name=file.name,
        members=limits.ARCHIVE_MEMBERS,
        characters=limits.CELL_CHARACTERS,
        total=limits.DECODED_BYTES >> 30,
        **values,
    )
