"""The stream of state changes. Django's view makes the events; the hub asks it for them."""

from typing import Any

from saltant.server.bridge import Receive, Send
from saltant.server.hub.board import WATCH, Board, Watch
from saltant.server.hub.sse import Look, listening

PAUSE = 0.25
"""Seconds between two looks of one stream."""
ALL_TOGETHER = 40
"""How many looks in a second all streams together may have."""


class EventStream:
    """One client that is told of changes."""

    def __init__(self, look: Look, board: Board, watch: Watch, environ: dict[str, Any]) -> None:
        self._look = look
        self._board = board
        self._watch = watch
        self._environ = environ | {WATCH: watch}

    async def serve(self, receive: Receive, send: Send) -> None:
        """Tell until the client goes, the server stops, or the client may not listen any more."""
        reply = await self._look(self._environ)
        if reply.status != 200 or self._watch.kind is None:
            await reply.send_to(send)
            return
        async with listening(receive, send, self._board, self._watch) as client:
            await client.begin(reply)
            while True:
                if reply.status == 200 and reply.body:
                    await client.tell(reply.body)
                failed = reply.status >= 500
                has_more = self._watch.has_more and not failed
                has_news = has_more or await client.wait(
                    pause=max(PAUSE, self._board.streams / ALL_TOGETHER), failed=failed
                )
                if client.is_over:
                    break
                reply = await self._look(self._environ, is_routine=not has_news)
                if reply.status != 200 and reply.status < 500:
                    break
            if not client.gone.done():
                await client.end()
