"""What the archive of `saltant backup` is: a .tar.gz of a folder's files, and last a manifest with their checksums."""

import gzip
import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any, cast

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "saltant.sqlite3"
KEYS = ("secret-key", "admin-token")
TREES = ("logs", "results", "files")
CHUNK = 1024 * 1024
LONGEST_NAME = 4096
"""Bytes of a member's name."""
LATEST = 2.0**40
"""Seconds: no file is of a later time, nor of one as long before 1970."""
_HEADERS = 32 * 1024
"""Bytes that one member's headers may have: two paths and some numbers."""
_MANIFEST_ROOM = 4096
_ENTRY_ROOM = 512
"""Bytes that a manifest may have for itself, and for each member beside its name."""


class ArchiveError(Exception):
    """A backup cannot be made or used. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member, as the manifest has it.

    Attributes:
        kind: file, folder or link.
        mode: its permission bits.
        size: of a file, in bytes.
        sha256: of a file's content; of a link, of where it points to.
    """

    kind: str
    mode: int
    size: int = 0
    sha256: str = ""


def kind_of(member: tarfile.TarInfo) -> str:
    """What a member is: file, folder or link; "" for what no backup holds."""
    return "file" if member.isreg() else "folder" if member.isdir() else "link" if member.issym() else ""


def digest_of(source: IO[bytes]) -> str:
    """The checksum of what is left to read."""
    digest = hashlib.sha256()
    while part := source.read(CHUNK):
        digest.update(part)
    return digest.hexdigest()


def digest_of_link(target: str) -> str:
    """The checksum of where a link points to."""
    return hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()


def dump_manifest(entries: dict[str, Entry], **more: Any) -> bytes:
    """The manifest's text."""
    files = {name: asdict(entry) for name, entry in entries.items()}
    return json.dumps({"format": FORMAT, **more, "entries": files}, indent=1).encode()


def load_manifest(text: bytes) -> dict[str, Entry]:
    """What a manifest says.

    Raises:
        ArchiveError: it is none, or a later version's.
    """
    try:
        manifest = json.loads(text)
        if manifest["format"] != FORMAT:
            format = str(manifest["format"])[:20]
            raise ArchiveError(f"It was made by a later saltant (format {format}): restore it with that.")
        return {name: Entry(**entry) for name, entry in manifest["entries"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ArchiveError("Its manifest cannot be read.") from None


def verify(archive: IO[bytes]) -> dict[str, Entry]:
    """Read all of an archive and compare it with its manifest; returns what it holds.

    Raises:
        ArchiveError: it is cut off, damaged, no backup of saltant's, or would lead out of the folder.
    """
    found: dict[str, Entry] = {}
    links: dict[str, str] = {}
    said: dict[str, Entry] | None = None
    room = _MANIFEST_ROOM
    with reading(archive) as members:
        for member, source in members:
            if said is not None or member.name in found:
                raise ArchiveError("It holds more than its manifest says.")
            if member.name == MANIFEST and source is not None:
                if member.size > room:
                    raise ArchiveError("Its manifest is larger than what it holds needs.")
                said = load_manifest(source.read(member.size))
                continue
            if member.issym():
                links[member.name] = member.linkname
            digest = digest_of(source) if source else digest_of_link(member.linkname) if member.issym() else ""
            found[member.name] = Entry(kind_of(member), member.mode, member.size, digest)
            room += len(json.dumps(member.name)) + _ENTRY_ROOM
    if said is None:
        raise ArchiveError("It has no manifest at its end: it was cut off, or is no backup of saltant's.")
    wrong = [name for name in {**said, **found} if said.get(name) != found.get(name)]
    if wrong:
        shown = wrong[0][:200]
        raise ArchiveError(f"{len(wrong)} of its {len(said)} parts are not as its manifest says, such as {shown!r}.")
    if DATABASE not in found:
        raise ArchiveError("It holds no database.")
    for name in found:
        parent = name.rpartition("/")[0]
        if parent and (parent not in found or found[parent].kind != "folder"):
            raise ArchiveError(f"It holds {name[:200]!r}, which lies in no folder of its own.")
    for name, target in links.items():
        if leads_through(name, target, links):
            raise ArchiveError(f"It holds {name[:200]!r}, which leads through another link and is no harmless link.")
    return found


Members = Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]


@contextmanager
def reading(archive: IO[bytes]) -> Iterator[Members]:
    """The archive's members from its beginning, each with what a file holds: to be read before the next.

    Whatever reading stumbles over becomes an ArchiveError.
    """
    try:
        archive.seek(0)
        with gzip.GzipFile(fileobj=archive, mode="rb") as plain:
            bounded = _Bounded(plain)
            with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r:") as tar:
                yield _members(tar, bounded)
            while plain.read(CHUNK):  # tar stops before the end, where gzip has a checksum of its own
                pass
    # Python's tarfile lets through what hostile headers make of numbers, texts and its own recursion.
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError, LookupError, RecursionError) as error:
        raise ArchiveError(f"It cannot be read to its end: {str(error)[:200]}.") from None


class _Bounded:
    """Gives tarfile no more than it is allowed: a header's size decides how much of it is read at once."""

    def __init__(self, source: gzip.GzipFile) -> None:
        self._source = source
        self.left = _HEADERS
        self.seek, self.tell = source.seek, source.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.left:
            raise ArchiveError("It has a header that is too long.")
        self.left -= size
        return self._source.read(size)


def _members(tar: tarfile.TarFile, bounded: _Bounded) -> Members:
    while True:
        bounded.left = _HEADERS
        member = tar.next()
        if member is None:
            return
        tar.members = []  # type: ignore[attr-defined]  # it would keep them all
        if tar.pax_headers or member.issparse() or member.size < 0:
            raise ArchiveError("It has a header that no backup of saltant's has.")
        _check_member(member)
        bounded.left = member.size
        yield member, tar.extractfile(member) if member.isreg() else None


def _check_member(member: tarfile.TarInfo) -> None:
    name, kind = member.name, kind_of(member)
    shown = repr(name[:200])
    if name != MANIFEST and (len(os.fsencode(name)) > LONGEST_NAME or not is_backed_up(name)):
        raise ArchiveError(f"It holds {shown}, which no backup of saltant's does.")
    must_be = "folder" if name in TREES else kind if "/" in name else "file"
    if not kind or kind != must_be or (kind == "link" and not leads_inside(name, member.linkname)):
        raise ArchiveError(f"It holds {shown}, which is neither a file nor a folder nor a harmless link.")
    if not abs(member.mtime) <= LATEST:  # nor is it NaN
        raise ArchiveError(f"It holds {shown}, of a time that no file has.")


def is_backed_up(name: str) -> bool:
    """Whether a backup may hold a member of that name.

    >>> [is_backed_up(name) for name in ("logs", "logs/x", "secret-key", "lock", "logsx", "logs/../lock")]
    [True, True, True, False, False, False]
    """
    return name in (DATABASE, *KEYS) or _is_in_tree(name)


def leads_inside(name: str, target: str) -> bool:
    """Whether a link of that name, to `target`, stays among logs and results, if no part of its way is a link.

    >>> [leads_inside("logs/a/b", to) for to in ("c", "../../results/x", "../../secret-key", "/etc", "../../..")]
    [True, True, False, False, False]

    What goes down and up again could go down a link:

    >>> leads_inside("logs/a/b", "c/../d")
    False
    """
    return _way(name, target) is not None


def leads_through(name: str, target: str, links: Mapping[str, str]) -> bool:
    """Whether a link that leads inside passes one of `links` before its end.

    >>> [leads_through("logs/a", to, {"logs/l": "x"}) for to in ("l", "l/x", "lx/x")]
    [False, True, False]
    """
    way = _way(name, target) or ""
    return any(letter == "/" and way[:end] in links for end, letter in enumerate(way))


def _way(name: str, target: str) -> str | None:
    """Where a link leads, None if out of logs and results."""
    folder = name.split("/")[:-1]
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((count for count, part in enumerate(parts) if part != ".."), len(parts))
    if not target or target.startswith("/") or ".." in parts[ups:] or ups > len(folder):
        return None
    way = "/".join([*folder[: len(folder) - ups], *parts[ups:]])
    return way if _is_in_tree(way) else None


def _is_in_tree(name: str) -> bool:
    parts = name.split("/")
    return parts[0] in TREES and not {"", ".", ".."} & set(parts) and "\0" not in name
