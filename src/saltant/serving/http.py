"""uvicorn, as saltant runs it."""

import asyncio
import contextlib
import gc
import ipaddress
import resource
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn

from saltant.server.hub import board
from saltant.serving import CannotStart
from saltant.serving.proxies import as_seen

KEEP_ALIVE = 75
"""Seconds a quiet connection is kept: longer than the pause of clients that look every few seconds."""
TICK = 1.0
"""Seconds."""
MOST_DESCRIPTORS = 65536
"""More would do nothing but cost programs that walk through all of them."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        CannotStart: the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1024)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CannotStart(
            f"Cannot listen on {host} port {port}: {why}. Choose another --port (0 takes a free one) or --host."
        ) from None
    return sock


def base_url(sock: socket.socket) -> str:
    """The URL by which a client on this machine reaches `sock`."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a comparison, nothing is bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _raise_limit() -> None:
    """Let this process have as many connections as it may: each client that waits is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class HttpServer(uvicorn.Server):
    """uvicorn on a socket of ours, which leaves signals alone and says when it is ready."""

    def __init__(self, sock: socket.socket, on_ready: Callable[[], None], trusted_proxies: Sequence[str] = ()) -> None:
        super().__init__(
            uvicorn.Config(
                "saltant.server.asgi:Application",
                factory=True,
                http="httptools",
                loop="uvloop",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips="*" if "*" in trusted_proxies else as_seen(trusted_proxies),
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=1,
                backlog=1024,
            )
        )
        self._socket = sock
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever started this server: uvicorn would raise them again after its own shutdown."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        _raise_limit()
        self._loop = asyncio.get_running_loop()
        board.open()
        await super().startup(sockets)
        gc.freeze()  # nearly all that there is by now stays: no collection need look at it again
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. Those who wait are answered first: there is not much time for it."""
        board.close()
        await super().shutdown(sockets)

    async def main_loop(self) -> None:
        """Tick until it is to end: once a second, for the date in answers. uvicorn's own wakes ten times as often."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), TICK)

    def stop(self) -> None:
        """End soon. It may be called from any thread, and by a signal."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._told.set)

    def serve_until_told(self) -> None:
        """Serve until `stop` is called."""
        self.run(sockets=[self._socket])
