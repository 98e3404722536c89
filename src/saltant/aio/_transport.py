"""The SDK's transport on an event loop: it is the same but for what it waits on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import urllib3
from requests.adapters import HTTPAdapter
from requests.exceptions import ProxyError
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

from saltant._http import Transport
from saltant.aio._bridge import wait_for
from saltant.aio._sockets import TlsSocket, connect

T = TypeVar("T")


class LoopConnection(HTTPConnection):
    """A connection that waits on the loop."""

    def _new_conn(self) -> socket.socket:
        limit = self.timeout if isinstance(self.timeout, (int, float)) else None
        try:
            return connect(
                self._dns_host, self.port, limit, self.source_address, self.socket_options, allowed_gai_family()
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out.") from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error


class LoopTlsConnection(LoopConnection, HTTPSConnection):
    """The same with TLS."""

    def connect(self) -> None:
        """Connect, and agree on keys."""
        # One for each connection, as certificates are loaded into it.
        self.ssl_context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
        self.ssl_context.sslsocket_class = TlsSocket
        super().connect()


class LoopPool(urllib3.HTTPConnectionPool):
    """Connections that are kept."""

    ConnectionCls = LoopConnection


class LoopTlsPool(urllib3.HTTPSConnectionPool):
    """Connections with TLS that are kept."""

    ConnectionCls = LoopTlsConnection


POOLS = {"http": LoopPool, "https": LoopTlsPool}


class LoopAdapter(HTTPAdapter):
    """Has requests made by such connections."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make what keeps the connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """What keeps the connections through a proxy."""
        if proxy.lower().startswith("socks"):
            raise ProxyError("The AsyncClient cannot use SOCKS proxies: take the Client, or an HTTP proxy.")
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


class AsyncTransport(Transport):
    """Makes the requests of an `AsyncClient`."""

    def __init__(self, base_url: str, token: str, timeout: float, retries: int, pool_size: int) -> None:
        super().__init__(base_url, token, timeout, retries, pool_size)
        adapter = LoopAdapter(pool_connections=4, pool_maxsize=pool_size, max_retries=0)
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)

    def sleep(self, seconds: float) -> None:
        """Wait, while the loop does something else."""
        wait_for(asyncio.sleep(seconds))

    def aside(self, act: Callable[..., T], *args: Any) -> T:
        """Do what keeps the disk or the processor busy in a thread."""
        return wait_for(asyncio.to_thread(act, *args))
