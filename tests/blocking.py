"""An `AsyncClient` for tests that were written for `Client`: each awaitable is awaited on a loop of its own thread.

So the same tests prove both, and all of the asynchronous one's own code takes part.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import ModuleType, TracebackType
from typing import Any, Self

import pytest

from saltant.aio import AsyncClient, _surface
from saltant.aio._bridge import run


class BlockingClient(AsyncClient):
    """Made, entered and left as a `Client` is."""

    def __init__(self, *args: Any, test_if_authenticated: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)
        if test_if_authenticated:
            self.test_authentication()  # type: ignore[unused-coroutine]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()  # type: ignore[unused-coroutine]


class BlockingStream:
    """A stream as an iterator."""

    def __init__(self, stream: Any, wait: Any) -> None:
        self._stream = stream
        self._wait = wait
        wait(stream._begun())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream._source, name)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return self._wait(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def read(self, size: int = -1) -> bytes:
        """Of a file."""
        data: bytes = self._wait(self._stream.read(size))
        return data

    def close(self) -> None:
        """Close its connection."""
        self._wait(self._stream.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def blocking(*modules: ModuleType) -> Iterator[None]:
    """Have what is awaitable wait, and the `Client` of these modules of tests be asynchronous."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(coroutine: Coroutine[Any, Any, Any]) -> Any:
        error, found = asyncio.run_coroutine_threadsafe(_caught(coroutine), loop).result()
        if error is not None:
            raise error
        return found

    def answer(kind: Any, function: Any, *args: Any, **options: Any) -> Any:
        if kind is None:
            return wait(run(function, *args, **options))
        return BlockingStream(kind(lambda: function(*args, **options)), wait)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_surface, "answer", answer)
            for module in modules:
                patch.setattr(module, "Client", BlockingClient)
            yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _caught(coroutine: Coroutine[Any, Any, Any]) -> tuple[BaseException | None, Any]:
    """What it raises or returns: an interrupt would end the loop."""
    try:
        return None, await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        return error, None
