"""Where the bytes of logs and results are: in a folder, or in an S3-compatible store."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from django.conf import settings

from saltant.config import Settings
from saltant.files import CannotKeep


@dataclass(frozen=True, slots=True)
class Key:
    """The name of a file in a store. It is made of ids of ours alone: no name of anybody's reaches a path.

    Attributes:
        path: with slashes between its parts.
        block: bytes; a store that cannot change a file in part keeps it in parts of this size.
    """

    path: str
    block: int


class Missing(Exception):
    """A store lacks what was once written to it."""


class Store(Protocol):
    """Keeps bytes. Every call may be made from any thread; of one key, one thread at a time writes."""

    def write_at(self, key: Key, offset: int, data: bytes) -> None:
        """Write `data` where `offset` bytes are before it; what was behind it is of no account from now on.

        Once this returns, the bytes outlive a power cut.

        Raises:
            CannotKeep: not all of it was written. It may be tried again.
        """

    def read(self, key: Key, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, in parts. Of an empty file there is nothing to be missing.

        Raises:
            Missing: they are not all there.
            CannotKeep: the store cannot be reached.
        """

    def delete(self, prefix: str) -> None:
        """Forget every file below `prefix`, which is whole parts of paths. None need be there.

        Raises:
            CannotKeep: not all of them could be deleted.
        """

    def check(self) -> None:
        """Find out whether this store can be used; leaves nothing behind.

        Raises:
            CannotKeep: it cannot; the message says what to do.
        """


def store() -> Store:
    """The one that this server's settings name."""
    return store_of(settings.SALTANT)


def store_of(said: Settings) -> Store:
    """The one that settings name.

    Raises:
        CannotKeep: what it needs is not installed.
    """
    if said.s3_bucket:
        return _s3(
            said.s3_bucket, said.s3_endpoint, said.s3_region, said.s3_prefix, said.s3_access_key, said.s3_secret_key
        )
    return _folder(said.files_folder)


@lru_cache
def _folder(path: Path) -> Store:
    from saltant.server.files.folder_store import FolderStore

    return FolderStore(path)


@lru_cache
def _s3(bucket: str, endpoint: str, region: str, prefix: str, access_key: str, secret_key: str) -> Store:
    try:
        from saltant.server.files.s3_store import S3Store
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "saltant"):
            raise
        raise CannotKeep(
            f"SALTANT_S3_BUCKET is set, and {missing} is not installed: pip install 'saltant-py[s3]'"
        ) from None
    return S3Store(
        bucket, endpoint=endpoint, region=region, prefix=prefix, access_key=access_key, secret_key=secret_key
    )
