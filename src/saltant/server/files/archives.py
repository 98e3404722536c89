"""Many files as one archive, made while it is sent: nothing of it is kept, in memory or elsewhere."""

import io
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from saltant.server.files.stores import Key, store

EARLIEST, LATEST = 1980, 2107
"""The years that a zip can say."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file that goes into an archive; its name is a good one (`files.check_name`)."""

    name: str
    key: Key
    size: int
    made: datetime


def as_zip(members: Sequence[Member]) -> Iterator[bytes]:
    """A zip of files as they are, which most results are best kept as; zip64 where it must be."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for member in members:
            made = member.made.astimezone(UTC)
            year = min(max(made.year, EARLIEST), LATEST)
            info = zipfile.ZipInfo(member.name, (year, made.month, made.day, made.hour, made.minute, made.second))
            info.external_attr = 0o100644 << 16
            info.create_system = 3  # of Unix: the names are UTF-8
            with archive.open(info, "w", force_zip64=member.size >= 2**31) as file:
                for part in store().read(member.key, 0, member.size):
                    file.write(part)
                    yield sink.take()
            yield sink.take()
    yield sink.take()


def as_tar(members: Sequence[Member]) -> Iterator[bytes]:
    """A tar, with names and sizes of any length (pax)."""
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.size, info.mode, info.mtime = member.size, 0o644, int(member.made.timestamp())
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
        yield from store().read(member.key, 0, member.size)
        yield bytes(-member.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


class _Sink(io.RawIOBase):
    """Holds what was written until it is taken. It cannot go back, so that the zip never asks it to."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
