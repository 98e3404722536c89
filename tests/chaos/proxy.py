"""A way between two programs that can be cut: what a network does to them, on one machine."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from enum import StrEnum
from typing import Any

from tests.services.ports import free_port

BOUND = 10.0
_PART = 1 << 16


class Cut(StrEnum):
    """How a way is cut."""

    SILENT = "silent"
    """Nothing gets through, and nobody is told. What was on its way arrives when the way is mended."""
    ONE_WAY = "one way"
    """What is asked gets through, the answers do not. They arrive when the way is mended."""
    REFUSED = "refused"
    """Connections break, and new ones are refused."""


class Network:
    """The ways, all served by one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-network", daemon=True)
        self._thread.start()
        self._ways: list[Way] = []

    def way_to(self, port: int) -> "Way":
        """A new way to a port of this machine."""
        way = Way(self, port)
        self._ways.append(way)
        way.mend()
        return way

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done in the thread, and wait until it is."""
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result(BOUND)

    def close(self) -> None:
        """End the thread, and the ways with it."""
        self.do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(BOUND)
        self._loop.close()

    async def _close(self) -> None:
        for way in self._ways:
            way.end()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


class Way:
    """A port of its own that leads to another one."""

    def __init__(self, network: Network, to: int) -> None:
        self.port = free_port()
        self._network = network
        self._to = to
        self._server: asyncio.Server | None = None
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self, how: Cut) -> None:
        """Cut it."""
        self._network.do(self._cut(how))

    def mend(self) -> None:
        """Let everything through again."""
        self._network.do(self._mend())

    def end(self) -> None:
        """Listen no more, and break all connections. In the network's thread."""
        if self._server is not None:
            self._server.close()
            self._server = None
            for writer in self._writers:
                writer.transport.abort()

    async def _cut(self, how: Cut) -> None:
        self._back.clear()
        if how is not Cut.ONE_WAY:
            self._there.clear()
        if how is Cut.REFUSED:
            self.end()

    async def _mend(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._there.set()
        self._back.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._there.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            self._end(writer)
            return
        self._writers.add(far_writer)
        await asyncio.gather(self._carry(reader, far_writer, self._there), self._carry(far_reader, writer, self._back))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
        with suppress(OSError):
            while part := await reader.read(_PART):
                await is_open.wait()
                writer.write(part)
                await writer.drain()
        await is_open.wait()
        self._end(writer)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()
