"""Files in an S3-compatible store, for servers on several hosts.

An object cannot be appended to, so a file is a row of objects, each a block of it, numbered from 0. Adding to a file
writes its last block anew; where a block lies follows from its number, so that nothing has to be listed to read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

from saltant.files import CannotKeep
from saltant.server.files.stores import Key, Missing

PART = 256 * 1024
"""Bytes that are given out at once."""
UNAVAILABLE = (BotoCoreError, ClientError, OSError)
FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "EntityTooLarge", "507"})
"""What stores call it when nothing more fits."""


class S3Store:
    """Blocks of files in one bucket, below a prefix."""

    def __init__(
        self, bucket: str, *, endpoint: str = "", region: str = "", prefix: str = "", access_key: str, secret_key: str
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._storage: Any = S3Storage(
            bucket_name=bucket,
            endpoint_url=endpoint or None,
            region_name=region or None,
            location=self._prefix,
            access_key=access_key or None,
            secret_key=secret_key or None,
            addressing_style="path" if endpoint else "auto",  # a store of one's own seldom has a name for each bucket
            default_acl=None,
            file_overwrite=True,
            gzip=False,
            client_config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path" if endpoint else "auto"},
            ),
        )

    def write_at(self, key: Key, offset: int, data: bytes) -> None:
        """Write the blocks that `data` lies in, the first one together with what was in it before."""
        left = memoryview(data)
        while left:
            number, before = divmod(offset, key.block)
            part = left[: key.block - before]
            block = (b"".join(self._block(key, number, before, 0)) if before else b"") + part
            with self._said():
                self._storage.save(_name(key, number), ContentFile(block))
            left, offset = left[len(part) :], offset + len(part)

    def read(self, key: Key, start: int, end: int) -> Iterator[bytes]:
        """Fetch one block after another."""
        while start < end:
            number, skipped = divmod(start, key.block)
            wanted = min(end - number * key.block, key.block)
            yield from self._block(key, number, wanted, skipped)
            start = number * key.block + wanted

    def delete(self, prefix: str) -> None:
        """Delete all objects below a prefix, many with one request."""
        whole = f"{self._prefix}/{prefix}" if self._prefix else prefix
        with self._said():
            for answer in self._storage.bucket.objects.filter(Prefix=f"{whole}/").delete():
                errors = answer.get("Errors", [])
                if errors:
                    raise CannotKeep(f"The bucket {self._bucket} does not delete: {errors[0].get('Message')}.")

    def check(self) -> None:
        """Write an object, and delete it."""
        with self._said():
            name = self._storage.save(".saltant-check/0", ContentFile(b"\n"))
            self._storage.delete(name)

    def _block(self, key: Key, number: int, end: int, start: int) -> Iterator[bytes]:
        """The bytes of a block from `start` up to `end`."""
        name = _name(key, number)
        # A part of a block, too, is fetched as the whole block: blocks are small.
        try:
            with self._said(), self._storage.open(name) as file:
                file.seek(start)
                while start < end:
                    part = file.read(min(PART, end - start))
                    if not part:
                        raise Missing(f"The object {name} in the bucket {self._bucket} is shorter than it was.")
                    yield part
                    start += len(part)
        except FileNotFoundError:
            raise Missing(f"The object {name} in the bucket {self._bucket} is gone.") from None

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What goes wrong, as a sentence."""
        try:
            yield
        except FileNotFoundError:
            raise
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise CannotKeep(
                f"The bucket {self._bucket} of the server cannot be used: {code or 'no reason was given'}.",
                is_full=code in FULL,
            ) from None
        except UNAVAILABLE as error:
            kind = type(error).__name__
            raise CannotKeep(f"The store with the bucket {self._bucket} does not answer the server ({kind}).") from None


def _name(key: Key, number: int) -> str:
    return f"{key.path}/{number:010d}"
