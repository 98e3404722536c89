"""What comes bit by bit, on an event loop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from saltant.aio._bridge import run

T = TypeVar("T")

END: Any = object()


class Stream(Generic[T]):
    """An asynchronous iterator, which begins when it is first asked, entered or awaited.

    As a context manager it closes its connection at the end. A cancelled step ends it.

    >>> async with client.executable_task_instances.watch() as changes:  # doctest: +SKIP
    ...     async for job in changes:
    ...         print(job.name, job.state)
    """

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin
        self._source: Any = None

    def __await__(self) -> Generator[Any, None, Self]:
        return self._begun().__await__()

    async def _begun(self) -> Self:
        if self._source is None:
            self._source = await run(self._begin)
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        await self._begun()
        found: T = await run(next, self._source, END)
        if found is END:
            raise StopAsyncIteration
        return found

    async def close(self) -> None:
        """Close the connection. The iterator is then at its end."""
        source, self._source = self._source, iter(())
        if hasattr(source, "close"):
            await run(source.close)

    aclose = close

    async def __aenter__(self) -> Self:
        return await self._begun()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class File(Stream[bytes]):
    """A file of the server's, to be read from its beginning to its end. As an iterator it gives lines.

    >>> async with result.open() as file:  # doctest: +SKIP
    ...     header = await file.read(100)
    """

    async def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at its end; all that is left if negative."""
        await self._begun()
        found: bytes = await run(self._source.read, size)
        return found
