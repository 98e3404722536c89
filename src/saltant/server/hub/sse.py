"""An event stream to one client, whatever it tells."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from saltant.server.bridge import Receive, Reply, Send, disconnect
from saltant.server.hub.board import Board, Watch

HEARTBEAT = 15.0
"""Seconds of silence after which a comment says that the stream still stands."""
LOOK_AGAIN = 30.0
"""Seconds after which a stream looks though nothing is known to have happened, also whether its key still holds."""
AFTER_FAILURE = 2.0
NOT_OURS = (b"content-length", b"content-type", b"content-disposition", b"content-range", b"accept-ranges", b"etag")


class Look(Protocol):
    """Asks Django."""

    def __call__(self, environ: dict[str, Any], body: bytes = b"", *, is_routine: bool = False) -> Awaitable[Reply]:
        """What Django answers now."""


class Client:
    """The one who listens.

    Attributes:
        gone: done when it does not listen any more.
    """

    def __init__(self, receive: Receive, send: Send, board: Board, watch: Watch) -> None:
        self._send = send
        self._board = board
        self._watch = watch
        self._quiet_since = self._time()
        self._looked = self._time()
        self.gone = asyncio.ensure_future(disconnect(receive))
        self.gone.add_done_callback(lambda _: watch.wake())

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to be told any more: the client has gone, or the server stops."""
        return self.gone.done() or self._board.is_closed

    async def begin(self, reply: Reply) -> None:
        """Say that a stream follows, with the headers of an answer of Django's."""
        kept = [(name, value) for name, value in reply.headers if name not in NOT_OURS]
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no"), *kept]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.tell(b": saltant\n\n")

    async def tell(self, text: bytes) -> None:
        """Send events."""
        self._quiet_since = self._time()
        await self._send({"type": "http.response.body", "body": text, "more_body": True})

    async def end(self) -> None:
        """Close the stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def wait(self, *, pause: float, failed: bool) -> bool:
        """Wait until there is something to look at, but look no sooner than `pause` after the last look.

        Returns whether there is news.
        """
        again = self._looked + (AFTER_FAILURE if failed else LOOK_AGAIN)
        while not (self.is_over or self._watch.has_news or self._time() >= again):
            await self._watch.wait(min(again, self._quiet_since + HEARTBEAT) - self._time())
            if self._time() >= self._quiet_since + HEARTBEAT and not self.is_over:
                await self.tell(b": still here\n\n")
        early = self._looked + pause - self._time()
        if early > 0 and not self.is_over:
            await asyncio.wait([self.gone], timeout=early)
        has_news, self._watch.has_news = self._watch.has_news, False
        self._looked = self._time()
        return has_news


@asynccontextmanager
async def listening(receive: Receive, send: Send, board: Board, watch: Watch) -> AsyncIterator[Client]:
    """The client of a stream, as long as it is served."""
    client = Client(receive, send, board, watch)
    try:
        yield client
    finally:
        client.gone.cancel()
