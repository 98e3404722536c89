"""Results of task instances."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote

from saltant._http import Transport
from saltant.exceptions import ChecksumMismatch, ResultRefused
from saltant.files import BadName, check_name
from saltant.models._downloads import Download, download, fetch, is_there

DownloadProgress = Callable[[int, int, str], object]
"""Hears how many bytes are there, of how many, and which file was just added to."""


@dataclass(frozen=True)
class ResultFile:
    """A file that a task instance left in its results folder.

    Attributes:
        name: Its path in the results folder, with `/` between its parts.
        size: Its size in bytes; 0 if it was refused.
        sha256: Its SHA-256 in hexadecimal digits; "" if it was refused.
        attempt: The number of the attempt that left it, from 1; None if the server does not tell.
        why: Why it was refused, as a link that leaves the folder is: then it cannot be had. None if it can.

    >>> [result.name for result in job.results()]  # doctest: +SKIP
    ['model.bin', 'plots/loss.png']
    """

    name: str
    size: int
    sha256: str
    attempt: int | None = None
    why: str | None = None
    _folder: str = field(default="", repr=False, compare=False)
    _transport: Transport | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_data(cls, data: dict[str, Any], folder: str, transport: Transport) -> Self:
        """Make one of the data of an answer; what a newer server adds is left out."""
        try:
            why = data.get("why")
            if why is None:
                check_name(data["name"])
            else:
                data = {"size": 0, "sha256": ""} | {name: value for name, value in data.items() if value is not None}
            return cls(
                data["name"], int(data["size"]), str(data["sha256"]), data.get("attempt"), why, folder, transport
            )
        except BadName as error:  # a server is not trusted with this
            return cls(str(data["name"]), 0, "", data.get("attempt"), str(error), folder, transport)
        except KeyError as error:
            raise ValueError(f"it lacks {error}") from None

    def read(self) -> bytes:
        """All of it, once its checksum was verified.

        Raises:
            ResultRefused: It was refused.
            ChecksumMismatch: What came is not what the job left.
            BadHttpRequestError: A request failed.
        """
        data = b"".join(self._fetch(0))
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ChecksumMismatch(f"The result {self.name} came other than its job left it.")
        return data

    def open(self) -> BinaryIO:
        """Open it for reading from its beginning to its end, in bytes. Its checksum is not verified.

        Raises:
            ResultRefused: It was refused.

        >>> with result.open() as file:  # doctest: +SKIP
        ...     header = file.read(100)
        """
        return io.BufferedReader(Download(self._fetch(0)))

    def download(self, path: str | os.PathLike[str], *, progress: DownloadProgress | None = None) -> Path:
        """Get it to a file, once its checksum was verified.

        If this is stopped, the next call goes on with what is there, in a file `.….part` beside it.

        Args:
            path: The file, which is replaced; or a folder that exists, to have it under its own name there.
            progress: Is called with the bytes that are there, those of all, and the name.

        Returns:
            The file.

        Raises:
            ResultRefused: It was refused.
            ValueError: Its name would lead out of the folder.
            ChecksumMismatch: What came is not what the job left, twice.
            OSError: The file cannot be written.
            BadHttpRequestError: A request failed.

        >>> job.results()[0].download("model.bin")  # doctest: +SKIP
        PosixPath('model.bin')
        """
        self._require()
        path = Path(path)
        target = target_in(path, self.name) if path.is_dir() else path
        download(self, target, lambda done: progress and progress(done, self.size, self.name))
        return target

    def _fetch(self, offset: int) -> Generator[bytes]:
        path = f"{self._folder}{quote(self.name, safe='/')}"
        query = [] if self.attempt is None else [("attempt", str(self.attempt))]
        return fetch(self._require(), path, query, offset, self.size)

    def _require(self) -> Transport:
        if self.why is not None or self._transport is None:
            raise ResultRefused(f"The result {self.name!r} cannot be had: {self.why or 'it has no server.'}")
        return self._transport


def target_in(folder: Path, name: str) -> Path:
    """Where a result goes in a folder.

    Raises:
        ValueError: Its name, or a link in the folder, leads out of it.
    """
    target = folder.joinpath(*check_name(name).split("/"))
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise BadName(f"The result {name!r} would be written outside of {folder}.")
    return target


def download_all(results: Sequence[ResultFile], folder: Path, progress: DownloadProgress | None) -> list[Path]:
    """Get results into a folder: see `BaseTaskInstance.download_results`."""
    wanted = [result for result in results if result.why is None]
    total = sum(result.size for result in wanted)
    before = 0
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for result in wanted:
        target = target_in(folder, result.name)

        def told(done: int, before: int = before, name: str = result.name) -> None:
            if progress is not None:
                progress(before + done, total, name)

        if result._require().aside(is_there, result, target):
            told(result.size)
        else:
            download(result, target, told)
        before += result.size
        paths.append(target)
    return paths
