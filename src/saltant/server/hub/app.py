"""The requests that the hub serves."""

import asyncio
import logging
import random
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from django.db import close_old_connections

from saltant.server.bridge import Bridge, Gone, Receive, Reply, Scope, Send, disconnect, make_environ, send_408
from saltant.server.hub.board import WATCH, Board, Show, Watch
from saltant.server.hub.follow import Follower
from saltant.server.hub.streams import EventStream

LOOK_AGAIN = 30.0
"""Seconds after which everybody who waits looks again: whether a change was missed, and whether the key still holds."""
AFTER_FAILURE = 2.0
"""Seconds after which a look that failed, because the database is away, is tried again."""
FOR_NEWS, FOR_ROUTINE = 6, 2
"""How many looks may be under way at once. A long line of routine ones must not hold up those that bring news."""
LARGEST_BODY = 2**20
"""Bytes of a body that is kept while its client waits. Of a larger one, the answer is as if it did not want to wait."""
PARTING = 0.7
"""Seconds within which those who wait are answered as the server stops: a little later their connections are cut."""
STOPPING = b'{"detail":"The server stops. Ask again."}'
GATHERED = 40_000
"""So many instances in one request cost a second of gathering news before it is looked at."""

INSTANCE = re.compile(r"/api/(?:executable|container)taskinstances/[^/]+/?")
LOG = re.compile(r"/api/(?:executable|container)taskinstances/([^/]+)/logs/.+")

log = logging.getLogger("saltant.hub")

T = TypeVar("T")
Serve = Callable[[Scope, Receive, Send], Any]


class Hub:
    """Serves clients that wait, by asking Django through `bridge` whenever there is news."""

    def __init__(self, board: Board, bridge: Bridge) -> None:
        self.board = board
        self._bridge = bridge
        self._news = asyncio.Semaphore(FOR_NEWS)
        self._routine = asyncio.Semaphore(FOR_ROUTINE)
        self._shown: asyncio.Future[dict[Show, Mapping[str, str]]] | None = None  # for all, as the server stops

    def find(self, scope: Scope) -> Serve | None:
        """What serves a request; None if it is not the hub's."""
        path, query = scope["path"], scope["query_string"]
        if scope["method"] == "GET":
            if path.startswith("/api/events") and path.rstrip("/") == "/api/events":
                return self._stream
            if b"wait=" in query and INSTANCE.fullmatch(path):
                return self._poll
            if b"follow=" in query and LOG.fullmatch(path):
                return self._follow
        elif scope["method"] == "POST" and path.startswith("/api/wait") and path.rstrip("/") == "/api/wait":
            return self._poll
        return None

    async def look(self, environ: dict[str, Any], body: bytes = b"", *, is_routine: bool = False) -> Reply:
        """What Django answers now."""
        async with self._routine if is_routine else self._news:
            return await self._bridge.ask(environ, body)

    async def _poll(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client that waits for one answer."""
        environ = make_environ(scope)
        try:
            file = await self._bridge.read(environ, receive)
        except Gone:
            await send_408(send)
            return
        with file:
            body = file.read()
        with self.board.watch() as watch:
            if len(body) <= LARGEST_BODY:
                environ[WATCH] = watch
            reply = await self.look(environ, body)
            if watch.seconds is not None and reply.status < 400:
                waited = await self._wait(environ, body, watch, receive, reply)
                if waited is None:
                    return
                reply = waited
        await reply.send_to(send)

    async def _wait(
        self, environ: dict[str, Any], body: bytes, watch: Watch, receive: Receive, reply: Reply
    ) -> Reply | None:
        """The answer when there is one, or the time is over; None if the client has gone."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (watch.seconds or 0)
        again, good = LOOK_AGAIN, reply
        gone = asyncio.ensure_future(disconnect(receive))
        gone.add_done_callback(lambda _: watch.wake())
        try:
            while True:
                # Not all at the same moment, though many may have come together.
                await watch.wait(min(end - loop.time(), again * random.uniform(0.7, 1)))  # noqa: S311
                if gone.done():
                    return None
                has_news, watch.has_news = watch.has_news, False
                watch.is_last = loop.time() >= end or self.board.is_closed
                if self.board.is_closed and not watch.is_of_all:
                    # There is little time to ask for all of them. What the view answered still stands.
                    return good if watch.show is None else await self._last(watch, watch.show, good)
                if has_news and not watch.is_last:
                    await asyncio.sleep(min(len(watch.uuids), 10_000) / GATHERED if len(watch.uuids) > 100 else 0)
                if has_news and not watch.is_last and watch.answer is not None:
                    with suppress(Exception):  # the view tells what is wrong
                        async with self._news:
                            answer = await self._bridge.run(partial(_in_database, watch.answer))
                        if answer is None:
                            continue
                        return good.with_body(answer.encode())
                watch.seconds = None
                reply = await self.look(environ, body, is_routine=not (has_news or watch.is_last))
                failed = reply.status >= 500
                if watch.is_last or not (failed or (watch.seconds is not None and reply.status < 400)):
                    return reply
                good = good if failed else reply
                again = AFTER_FAILURE if failed else LOOK_AGAIN
        finally:
            gone.cancel()

    async def _last(self, watch: Watch, show: Show, good: Reply) -> Reply:
        """The answer to one of those who are let go as the server stops: their instance as it is."""
        [uuid] = watch.uuids
        try:
            async with asyncio.timeout(PARTING):
                if self._shown is None:
                    self._shown = asyncio.ensure_future(self._show_all())
                bodies = (await asyncio.shield(self._shown)).get(show, {})
                if uuid not in bodies:  # it has come since
                    bodies = await self._bridge.run(partial(_in_database, partial(show, [uuid])))
            return good.with_body(bodies[uuid].encode())
        except Exception:
            return replace(good, status=503, headers=[*good.headers, (b"retry-after", b"1")]).with_body(STOPPING)

    async def _show_all(self) -> dict[Show, Mapping[str, str]]:
        """The bodies for all who wait for one instance each."""
        wanted: dict[Show, list[str]] = {}
        for watch in self.board:
            if watch.show is not None:
                wanted.setdefault(watch.show, []).extend(watch.uuids)
        try:
            return {
                show: await self._bridge.run(partial(_in_database, partial(show, uuids)))
                for show, uuids in wanted.items()
            }
        except Exception as error:
            log.warning("Those who wait are told to ask again, as their instances could not be read: %s", error)
            raise

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client that is told of changes as they come."""
        with self.board.watch() as watch:
            await EventStream(self.look, self.board, watch, make_environ(scope)).serve(receive, send)

    async def _follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client that follows a log."""
        with self.board.watch() as watch:
            await Follower(self.look, self.board, watch, make_environ(scope)).serve(receive, send)


def _in_database(act: Callable[[], T]) -> T:
    """What `act` returns, with a connection like a request's."""
    close_old_connections()
    return act()
