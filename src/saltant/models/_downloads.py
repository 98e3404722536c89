"""Getting files from the server: whole and unharmed, whatever becomes of the connection."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from saltant._http import Transport
from saltant._patience import Patience, Trouble
from saltant._streams import PIECE, pause, pieces
from saltant.exceptions import ChecksumMismatch, ConnectionFailed, RateLimited, ServerError, TransportError

if TYPE_CHECKING:
    from saltant.models.result_file import ResultFile

TRIES = 2
"""How often a file is got anew that came other than it is."""

Told = Callable[[int], object]
"""Hears how many bytes are there."""


def fetch(transport: Transport, path: str, query: list[tuple[str, str]], offset: int, size: int) -> Generator[bytes]:
    """The bytes of a file from an offset on. A connection that breaks is taken up again where it broke.

    Raises:
        BadHttpRequestError: It failed, or for too long.
    """
    patience = Patience(f"Still downloading {path}", quiet=1)
    while offset < size:
        trouble: Trouble | None = None
        try:
            headers = {"Range": f"bytes={offset}-"} if offset else {}
            answer = transport.open(path, params=query, headers=headers, expected=(200, 206))
            with closing(answer):
                patience.meet()
                skip = offset if answer.status_code == 200 else 0
                if answer.status_code == 206 and not _begins_at(answer.headers.get("Content-Range", ""), offset):
                    raise transport.odd(answer, f"another range than {offset}-")
                for piece in pieces(transport, answer):
                    skipped = min(skip, len(piece))
                    skip -= skipped
                    if new := piece[skipped : skipped + size - offset]:
                        patience.well()
                        offset += len(new)
                        yield new
            if offset < size:
                url = transport.base_url + path
                message = f"GET {url} failed: the answer ended at {offset} of {size} bytes."
                trouble = ConnectionFailed(message, url=url, method="GET")
        except (TransportError, ServerError, RateLimited) as error:
            trouble = error
        if offset < size:
            pause(transport, patience, trouble)


def _begins_at(content_range: str, offset: int) -> bool:
    return content_range.partition("-")[0].strip().casefold() == f"bytes {offset}"


class Download(io.RawIOBase):
    """A file of the server's, to be read from its beginning to its end."""

    def __init__(self, chunks: Generator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer, or a part of it."""
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        room = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = min(len(room), len(self._rest))
        room[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Close the connection."""
        self._chunks.close()
        super().close()


def download(result: ResultFile, target: Path, told: Told) -> None:
    """Get a result to a path, by way of a file beside it that another call goes on with if this one is stopped.

    Raises:
        ChecksumMismatch: What came is not what the job left, twice.
        OSError: The file cannot be written.
        BadHttpRequestError: A request failed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Named after its contents: a part of something else is never gone on with, and two who get it write the same.
    mark = hashlib.sha256(f"{target.name}/{result.sha256}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    part = target.parent / f".{mark}.part"
    for _ in range(TRIES):
        if _fill(result, part, told) == result.sha256:
            part.replace(target)
            return
        part.unlink(missing_ok=True)
    raise ChecksumMismatch(f"The result {result.name} came other than its job left it, {TRIES} times: {target}")


def _fill(result: ResultFile, part: Path, told: Told) -> str:
    """Get what a part lacks; returns the checksum of all."""
    digest = hashlib.sha256()
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    aside = result._require().aside
    with os.fdopen(os.open(part, flags, 0o666), "r+b") as file:
        aside(_take_in, file, digest)
        done = file.tell()
        if done > result.size:
            return ""
        told(done)
        with closing(result._fetch(done)) as chunks:
            for piece in chunks:
                file.write(piece)
                digest.update(piece)
                done += len(piece)
                told(done)
        file.flush()
        aside(os.fsync, file.fileno())
    return digest.hexdigest()


def _take_in(file: BinaryIO, digest: hashlib._Hash) -> None:
    while piece := file.read(PIECE):
        digest.update(piece)


def is_there(result: ResultFile, path: Path) -> bool:
    """Whether a path holds this result already."""
    with suppress(OSError):
        if path.is_file() and path.stat().st_size == result.size:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == result.sha256
    return False
