"""Logs and results, as a task instance's model and its manager give them."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from saltant._streams import lines
from saltant.models._encoding import segment
from saltant.models._limits import require_version_2
from saltant.models._logs import Log
from saltant.models.log_file import LogFile
from saltant.models.resource import ModelManager
from saltant.models.result_file import DownloadProgress, ResultFile, download_all

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance, BaseTaskInstanceManager
    from saltant.models.dependency import One

F = TypeVar("F")
I = TypeVar("I", bound="BaseTaskInstance")  # noqa: E741


class InstanceFiles:
    """The logs and results of a model."""

    uuid: str
    manager: BaseTaskInstanceManager[Any]

    @overload
    def logs(
        self,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[False] = ...,
        attempt: int | None = ...,
        as_bytes: Literal[False] = ...,
    ) -> str: ...
    @overload
    def logs(
        self,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[False] = ...,
        attempt: int | None = ...,
        as_bytes: Literal[True],
    ) -> bytes: ...
    @overload
    def logs(
        self,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[True],
        attempt: int | None = ...,
        as_bytes: Literal[False] = ...,
    ) -> Iterator[str]: ...
    @overload
    def logs(
        self,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[True],
        attempt: int | None = ...,
        as_bytes: Literal[True],
    ) -> Iterator[bytes]: ...
    def logs(
        self,
        stream: str = "stdout",
        *,
        tail: int | None = None,
        follow: bool = False,
        attempt: int | None = None,
        as_bytes: bool = False,
    ) -> Any:
        """What this task instance printed: see `BaseTaskInstanceManager.logs`.

        >>> print(job.logs("stderr", tail=20))  # doctest: +SKIP
        >>> for line in job.logs(follow=True):  # doctest: +SKIP
        ...     print(line, end="")
        """
        options: dict[str, Any] = {"tail": tail, "follow": follow, "attempt": attempt, "as_bytes": as_bytes}
        return self.manager.logs(self.uuid, stream, **options)

    def log_files(self, *, attempt: int | None = None) -> list[LogFile]:
        """The logs that there are of this task instance: see `BaseTaskInstanceManager.log_files`."""
        return self.manager.log_files(self.uuid, attempt=attempt)

    def results(self, *, attempt: int | None = None) -> list[ResultFile]:
        """The files that this task instance left in its results folder: see `BaseTaskInstanceManager.results`."""
        return self.manager.results(self.uuid, attempt=attempt)

    def download_results(
        self, folder: str | os.PathLike[str], progress: DownloadProgress | None = None, *, attempt: int | None = None
    ) -> list[Path]:
        """Get all results of this task instance: see `BaseTaskInstanceManager.download_results`.

        >>> job.download_results("out")  # doctest: +SKIP
        [PosixPath('out/model.bin'), PosixPath('out/plots/loss.png')]
        """
        return self.manager.download_results(self.uuid, folder, progress, attempt=attempt)


class FilesOfInstances(ModelManager[I]):
    """The logs and results that a manager gives, by UUID."""

    _result: type[ResultFile] = ResultFile

    @overload
    def logs(
        self,
        uuid: One,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[False] = ...,
        attempt: int | None = ...,
        as_bytes: Literal[False] = ...,
    ) -> str: ...
    @overload
    def logs(
        self,
        uuid: One,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[False] = ...,
        attempt: int | None = ...,
        as_bytes: Literal[True],
    ) -> bytes: ...
    @overload
    def logs(
        self,
        uuid: One,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[True],
        attempt: int | None = ...,
        as_bytes: Literal[False] = ...,
    ) -> Iterator[str]: ...
    @overload
    def logs(
        self,
        uuid: One,
        stream: str = ...,
        *,
        tail: int | None = ...,
        follow: Literal[True],
        attempt: int | None = ...,
        as_bytes: Literal[True],
    ) -> Iterator[bytes]: ...
    def logs(
        self,
        uuid: One,
        stream: str = "stdout",
        *,
        tail: int | None = None,
        follow: bool = False,
        attempt: int | None = None,
        as_bytes: bool = False,
    ) -> Any:
        """What a task instance printed.

        With `follow` it is an iterator of lines, which goes on as they are printed and ends when the attempt has ended
        and all was read; one that waits to start is waited for. A connection that breaks is taken up again where it
        broke, so that no byte is lost or comes twice. A server that does not answer is borne with for ten minutes on
        end. Closing the iterator (`.close()`, or the end of all that holds it) closes the connection.

        Args:
            uuid: The task instance, or its UUID.
            stream: `stdout`, `stderr`, or the name of another of `log_files()`.
            tail: How many lines to begin before the end; None begins with the first.
            follow: Whether to go on until the attempt has ended.
            attempt: The number of an attempt, from 1; None for the current one.
            as_bytes: Whether to give bytes as they were printed, rather than text, in which what is no UTF-8 is U+FFFD.

        Returns:
            All at once; with `follow` an iterator of lines. Each keeps its `\\n`; the last one may have none.

        Raises:
            ValueError: A number or the name makes no sense.
            UnsupportedByServer: The server, of version 1, keeps no logs.
            NotFound: There is no such instance, attempt or log.
            PermissionDenied: It is on a private queue, and neither it nor the queue is yours.
            BadHttpRequestError: A request failed otherwise; with `follow`, also later.

        >>> client.executable_task_instances.logs(uuid, tail=1)  # doctest: +SKIP
        'done\\n'
        """
        if tail is not None and tail < 0:
            raise ValueError(f"tail must be at least 0 lines, not {tail!r}")
        if attempt is not None and attempt < 1:
            raise ValueError(f"attempt must be at least 1, not {attempt!r}")
        log = Log(self._client._transport, self._folder(uuid, "logs"), stream, attempt)
        require_version_2(self._client, "logs")
        if follow:
            return _followed(log.follow(tail), as_bytes=as_bytes)
        read = log.read(tail)
        return read if as_bytes else read.decode("utf-8", "replace")

    def log_files(self, uuid: One, *, attempt: int | None = None) -> builtins.list[LogFile]:
        """The logs that there are of a task instance.

        Args:
            uuid: The task instance, or its UUID.
            attempt: The number of an attempt, from 1; None for the current one.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps no logs.
            NotFound: There is none of this UUID.
            PermissionDenied: It is on a private queue, and neither it nor the queue is yours.
            BadHttpRequestError: The request failed otherwise.

        >>> client.executable_task_instances.log_files(uuid)  # doctest: +SKIP
        [LogFile(attempt=1, name='stdout', size=5, is_cut=False)]
        """
        return self._files(uuid, "logs", attempt, LogFile.from_data)

    def results(self, uuid: One, *, attempt: int | None = None) -> builtins.list[ResultFile]:
        """The files that a task instance left in its results folder; also those that cannot be had, which say why.

        They are there as soon as it has finished, successfully or not.

        Args:
            uuid: The task instance, or its UUID.
            attempt: The number of an attempt, from 1; None for the current one.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps no results.
            NotFound: There is none of this UUID.
            PermissionDenied: It is on a private queue, and neither it nor the queue is yours.
            BadHttpRequestError: The request failed otherwise.

        >>> for result in client.executable_task_instances.results(uuid):  # doctest: +SKIP
        ...     print(result.name, result.size, result.why or result.read()[:10])
        """
        folder, transport = self._folder(uuid, "results"), self._client._transport
        return self._files(uuid, "results", attempt, lambda data: self._result.from_data(data, folder, transport))

    def download_results(
        self,
        uuid: One,
        folder: str | os.PathLike[str],
        progress: DownloadProgress | None = None,
        *,
        attempt: int | None = None,
    ) -> builtins.list[Path]:
        """Get all files that a task instance left in its results folder, their checksums verified.

        What is there already, from a call that was stopped, is not fetched again. Files that were refused are left
        out; `results()` tells of them.

        Args:
            uuid: The task instance, or its UUID.
            folder: Where to; it is made if it is not there. Files of the same names are replaced.
            progress: Is called with the bytes that are there, those of all files, and the name of the file.
            attempt: The number of an attempt, from 1; None for the current one.

        Returns:
            The files.

        Raises:
            UnsupportedByServer: The server, of version 1, keeps no results.
            ValueError: A link in the folder leads out of it.
            ChecksumMismatch: What came is not what the job left, twice.
            OSError: A file cannot be written.
            BadHttpRequestError: A request failed.

        >>> def show(done, total, name):
        ...     print(f"{done / total:.0%} {name}")
        >>> client.executable_task_instances.download_results(uuid, "out", show)  # doctest: +SKIP
        """
        return download_all(self.results(uuid, attempt=attempt), Path(folder), progress)

    def _folder(self, uuid: One, kind: str) -> str:
        return f"{self.detail_url.format(uuid=segment(uuid))}{kind}/"

    def _files(
        self, uuid: One, kind: str, attempt: int | None, make: Callable[[dict[str, Any]], F]
    ) -> builtins.list[F]:
        require_version_2(self._client, kind)
        query = [] if attempt is None else [("attempt", str(attempt))]
        found = self._request("GET", self._folder(uuid, kind), params=query)
        try:
            return [make(each) for each in found]
        except (TypeError, ValueError, AttributeError) as error:
            raise self._unexpected(f"no list of {kind} ({error})") from error


def _followed(pieces: Generator[bytes], *, as_bytes: bool) -> Iterator[str | bytes]:
    with closing(pieces):
        for line in lines(pieces):
            # No other character of UTF-8 has the byte of a line's end in it: lines are whole characters.
            yield line if as_bytes else line.decode("utf-8", "replace")
