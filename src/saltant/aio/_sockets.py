"""Sockets that wait on the event loop, for the HTTP library that knows nothing of loops."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

from saltant.aio._bridge import wait_for

T = TypeVar("T")


class Waiting(socket.socket):
    """What both kinds share: the system's socket never blocks, and a time-out is kept beside it."""

    _longest: float | None = None

    def settimeout(self, value: float | None) -> None:
        """The most seconds that one act may take; None: no limit."""
        self._longest = value
        super().settimeout(0.0)

    def gettimeout(self) -> float | None:
        """The most seconds that one act may take."""
        return self._longest

    def setblocking(self, flag: bool) -> None:
        """As with any other socket."""
        self.settimeout(None if flag else 0.0)

    def _until_done(self, act: Callable[..., T], *args: Any, writes: bool = False) -> T:
        """Do something as soon as the socket is ready for it."""
        deadline = None if self._longest is None else time.monotonic() + self._longest
        while True:
            try:
                return act(*args)
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except ssl.SSLWantWriteError:
                writes = True
            if self._longest == 0.0:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            rest = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            wait_for(_ready(self.fileno(), rest, writes=writes))


class PlainSocket(Waiting):
    """A socket without TLS."""

    def connect(self, address: Any) -> None:
        """Connect to an address."""
        self.settimeout(self._longest)
        failure = self.connect_ex(address)
        if failure == errno.EINPROGRESS:
            wait_for(_ready(self.fileno(), self._longest, writes=True))
            failure = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))

    def recv(self, *args: Any) -> bytes:
        """Some bytes as they arrive."""
        return self._until_done(super().recv, *args)

    def recv_into(self, *args: Any) -> int:
        """Some bytes as they arrive."""
        return self._until_done(super().recv_into, *args)

    def send(self, *args: Any) -> int:
        """Send some of these bytes."""
        return self._until_done(super().send, *args, writes=True)

    def sendall(self, data: Any, *args: Any) -> None:
        """Send all of these bytes."""
        with memoryview(data) as view, view.cast("B") as rest:
            sent = 0
            while sent < len(rest):
                sent += self.send(rest[sent:], *args)


class TlsSocket(Waiting, ssl.SSLSocket):
    """A socket with TLS. The other methods of its kind are made of these."""

    def do_handshake(self, block: bool = False) -> None:
        """Agree with the server on keys."""
        self._until_done(super().do_handshake)

    def read(self, *args: Any) -> Any:
        """Some bytes as they arrive."""
        return self._until_done(super().read, *args)

    def send(self, *args: Any) -> int:
        """Send some of these bytes."""
        return self._until_done(super().send, *args)


def connect(
    host: str, port: int, timeout: float | None, source: tuple[str, int] | None, options: Any, family: int
) -> socket.socket:
    """A socket that is connected to the first of a host's addresses that takes it.

    Raises:
        OSError: None of them does.
    """
    loop = asyncio.get_running_loop()
    found = wait_for(loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM))
    failure: OSError | None = None
    for kind, type_, protocol, _, address in found:
        made = PlainSocket(kind, type_, protocol)
        try:
            for option in options or ():
                made.setsockopt(*option)
            made.settimeout(timeout)
            if source:
                made.bind(source)
            made.connect(address)
        except OSError as error:
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failure or OSError("The name has no address")


async def _ready(number: int, timeout: float | None, *, writes: bool) -> None:
    """Wait until there is something to be read from a file's number, or room to write.

    Raises:
        TimeoutError: It took too long.
    """
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def told() -> None:
        if not future.done():
            future.set_result(None)

    add, remove = (loop.add_writer, loop.remove_writer) if writes else (loop.add_reader, loop.remove_reader)
    add(number, told)
    try:
        async with asyncio.timeout(timeout):
            await future
    finally:
        remove(number)
