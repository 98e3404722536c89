"""What the archive of `saltant backup` is: a .tar.gz of a folder's files, and last a manifest with their checksums."""

import gzip
import hashlib
import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "saltant.sqlite3"
KEYS = ("secret-key", "admin-token")
TREES = ("logs", "results")
CHUNK = 1024 * 1024


class ArchiveError(Exception):
    """A backup cannot be made or used. The message says why, and what to do."""


@dataclass(frozen=True)
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
            raise ArchiveError(f"It was made by a later saltant (format {manifest['format']}): restore it with that.")
        return {name: Entry(**entry) for name, entry in manifest["entries"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ArchiveError("Its manifest cannot be read.") from None


def verify(archive: IO[bytes]) -> dict[str, Entry]:
    """Read all of an archive and compare it with its manifest; returns what it holds.

    Raises:
        ArchiveError: it is cut off, damaged, or no backup of saltant's.
    """
    found: dict[str, Entry] = {}
    said: dict[str, Entry] | None = None
    with reading(archive) as tar:
        for member in tar:
            if said is not None or member.name in found:
                raise ArchiveError("It holds more than its manifest says.")
            if not kind_of(member) or (member.issym() and not leads_inside(member.name, member.linkname)):
                raise ArchiveError(
                    f"It holds {member.name!r}, which is neither a file nor a folder nor a harmless link."
                )
            source = tar.extractfile(member) if member.isreg() else None
            if member.name == MANIFEST and source is not None:
                said = load_manifest(source.read())
                continue
            digest = digest_of(source) if source else digest_of_link(member.linkname) if member.issym() else ""
            found[member.name] = Entry(kind_of(member), member.mode, member.size, digest)
    if said is None:
        raise ArchiveError("It has no manifest at its end: it was cut off, or is no backup of saltant's.")
    wrong = [name for name in {**said, **found} if said.get(name) != found.get(name)]
    if wrong:
        raise ArchiveError(f"{len(wrong)} of its {len(said)} parts are not as its manifest says, such as {wrong[0]!r}.")
    if found.get(DATABASE, Entry("", 0)).kind != "file":
        raise ArchiveError("It holds no database.")
    return found


@contextmanager
def reading(archive: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """The archive, from its beginning. Whatever reading stumbles over becomes an ArchiveError."""
    try:
        archive.seek(0)
        with gzip.GzipFile(fileobj=archive, mode="rb") as plain:
            with tarfile.open(fileobj=plain, mode="r:") as tar:
                yield tar
            while plain.read(CHUNK):  # tar stops before the end, where gzip has a checksum of its own
                pass
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ArchiveError(f"It cannot be read to its end: {error}.") from None


def is_backed_up(name: str) -> bool:
    """Whether a backup may hold a member of that name.

    >>> [is_backed_up(name) for name in ("logs", "logs/x", "secret-key", "lock", "logsx", "logs/../lock")]
    [True, True, True, False, False, False]
    """
    return name in (DATABASE, *KEYS) or _is_in_tree(name)


def leads_inside(name: str, target: str) -> bool:
    """Whether a link of that name, to `target`, stays among logs and results.

    >>> [leads_inside("logs/a/b", to) for to in ("c", "../../results/x", "../../secret-key", "/etc", "../../..")]
    [True, True, False, False, False]
    """
    return not target.startswith("/") and _is_in_tree(posixpath.normpath(posixpath.join(name, "..", target)))


def _is_in_tree(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name == "/".join(parts) and ".." not in parts and parts[:1] in [(tree,) for tree in TREES]
