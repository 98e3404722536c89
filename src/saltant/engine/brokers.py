"""A broker, RabbitMQ or Redis: what its URL says, a connection to it, and in which words it fails.

It is shared by the server, who publishes, and the workers, who consume. Nothing here needs Django.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLCertVerificationError, SSLError
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
import redis
from celery import Celery

from saltant.config import SettingsError
from saltant.engine import EngineUnavailable

ANSWER_SECONDS = 2.0
"""How long a broker may take to answer before it counts as unreachable."""

_VARIABLE = "SALTANT_BROKER_URL"
_PORTS = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}
_KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}

# Without fixups: where Django is about, they put the working directory on Python's path.
app = Celery("saltant", set_as_current=False, fixups=())
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_publish_retry=False,
    broker_connection_retry=False,
)


@dataclass(frozen=True)
class Broker:
    """Where a broker is and how one gets in.

    Attributes:
        space: the virtual host of RabbitMQ, or the number of Redis's database.
        ca: a file of certificates that its certificate must be signed with; empty: the system's.
    """

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    space: str
    ca: str = ""

    @classmethod
    def from_url(cls, url: str, ca: str = "") -> "Broker":
        """Read a URL.

        Raises:
            SettingsError: it cannot be used.
        """
        scheme = url.partition("://")[0].lower()
        if "://" not in url or scheme not in _PORTS:
            raise SettingsError(f"{_VARIABLE} must begin with amqp://, amqps://, redis:// or rediss://.")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS[scheme]
        except ValueError as error:
            why = "its port is no number up to 65535" if "ort" in str(error) else "its host cannot be read"
            raise SettingsError(f"{_VARIABLE} cannot be used: {why}. {_ENCODE}") from None
        if parts.query or parts.fragment:
            raise SettingsError(f"{_VARIABLE} takes nothing after ? or #. {_ENCODE}")
        if not host:
            raise SettingsError(f"{_VARIABLE} names no host: it looks like {scheme}://USER:PASSWORD@HOST:{port}/.")
        if parts.username and not parts.password:  # of Redis, people leave out the colon: the user is the password then
            raise SettingsError(f"{_VARIABLE} has no password: it looks like {scheme}://USER:PASSWORD@HOST:{port}/.")
        if ca and scheme in ("amqp", "redis"):
            raise SettingsError(
                f"SALTANT_BROKER_CA is of no use with {scheme}://, which is not encrypted: {scheme}s:// is."
            )
        if ca and not Path(ca).is_file():
            raise SettingsError(f"SALTANT_BROKER_CA names {ca}, which is no file.")
        return cls(
            scheme=scheme,
            host=host,
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            space=_space(scheme, unquote(parts.path[1:])),
            ca=ca,
        )

    @property
    def is_redis(self) -> bool:
        """Whether it is Redis; RabbitMQ otherwise."""
        return self.scheme.startswith("redis")

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme.endswith("s") and self.scheme != "redis"

    def __str__(self) -> str:
        """The URL, without its password."""
        secret = ":***" if self.password else ""
        at = "@" if self.user or secret else ""
        space = self.space if self.is_redis else self.space.replace("/", "%2F")
        return f"{self.scheme}://{self.user}{secret}{at}{self._bracketed}:{self.port}/{space}"

    def connect(self, *, heartbeat: float = 0) -> Any:
        """A connection of Celery's own kind, made now, on which nothing waits longer than ANSWER_SECONDS.

        The parts of the URL are handed over one by one: Celery would read `;` in a password as the next URL, and take
        CELERY_BROKER_URL for ours.
        """
        host = self.host if self.is_redis else self._bracketed
        connection = app.connection_for_write(
            host,
            userid=self.user or None,
            password=self.password or None,
            virtual_host=self.space,
            port=self.port,
            transport="redis" if self.is_redis else "pyamqp",
            ssl=self._tls(),
            connect_timeout=ANSWER_SECONDS,
            heartbeat=heartbeat,
            transport_options=self._options(),
        )
        try:
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
        except Exception as error:
            if self.why(error) == _CLOSED and not self.is_encrypted:
                raise ConnectionAbortedError from None
            raise
        if not self.is_redis:
            connection.connection.sock.settimeout(ANSWER_SECONDS)
        return connection

    def unavailable(self, error: BaseException) -> EngineUnavailable:
        """The sentence for people about what went wrong."""
        return EngineUnavailable(f"The broker {self} cannot be used: {self.why(error)}.")

    def why(self, error: BaseException) -> str:
        """What went wrong, without secrets."""
        said = next((words for each in _chain(error) if (words := self._words(each))), "")
        if not said:
            said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        return said.replace(self.password, "***") if len(self.password) > 3 else said

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def _tls(self) -> Any:
        if not self.is_encrypted:
            return False
        if self.is_redis:
            return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": self.ca or None}
        return {
            "context": {"cafile": self.ca or None, "check_hostname": True},
            "server_hostname": self.host,
            "do_handshake_on_connect": False,  # but right after, when the library has set its time-out
        }

    def _options(self) -> dict[str, Any]:
        if not self.is_redis:
            return {"confirm_publish": True, "max_retries": 0}
        return {
            "priority_steps": list(range(10)),
            "socket_timeout": ANSWER_SECONDS,
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_keepalive": True,
            "socket_keepalive_options": _KEEPALIVE,
            "max_retries": 0,
        }

    def _words(self, error: BaseException) -> str:
        match error:
            case SSLCertVerificationError():
                return f"its certificate is not trusted ({error.verify_message.rstrip('.')})"
            case SSLError():
                return "TLS could not be agreed on: maybe it speaks none on this port"
            case amqp.exceptions.AccessRefused() if "ogin" in error.reply_text:
                return "it refuses the user name or the password"
            case amqp.exceptions.AccessRefused():
                return f"its permissions forbid it ({error.reply_text.rstrip('.')})"
            case amqp.exceptions.ConsumerCancelled():
                return "somebody deleted one of its queues"
            case amqp.exceptions.NotAllowed():
                return f"user {self.user or 'guest'!r} may not use the virtual host {self.space!r}, or there is none"
            case amqp.exceptions.PreconditionFailed() if "inequivalent" in error.reply_text:
                return f"delete there what others declared in another way ({error.reply_text.rstrip('.')})"
            case redis.exceptions.AuthenticationError():
                return "it refuses the user name or the password"
            case redis.exceptions.NoPermissionError():
                return f"its access rules forbid it ({error})"
            case redis.exceptions.ResponseError() if "invalid password" in str(error) or "NOAUTH" in str(error):
                return "it refuses the user name or the password"
            case socket.gaierror():
                return f"there is no host {self.host!r}"
            case ConnectionRefusedError():
                return "nothing listens there"
            case TimeoutError() | redis.exceptions.TimeoutError():
                return _SILENT
            case ConnectionResetError() | BrokenPipeError():
                return _CLOSED
            case ConnectionAbortedError():
                return "it closed the connection at once: maybe it expects TLS on this port"
            case OSError() if "closed connection" in str(error):
                return _CLOSED
            case redis.exceptions.ConnectionError() if "closed by server" in str(error):
                return _CLOSED
        return ""


def check_broker(url: str, ca: str = "") -> None:
    """Connect once.

    Raises:
        SettingsError: the URL cannot be used.
        EngineUnavailable: the broker cannot be; the sentence says why.
    """
    from saltant.engine.messages import CANCELS

    broker = Broker.from_url(url, ca)
    connection = None
    try:
        connection = broker.connect()
        CANCELS(connection.channel()).declare()
    except Exception as error:
        raise broker.unavailable(error) from None
    finally:
        drop(connection)


def drop(connection: Any) -> None:
    """Give up a connection in whatever state it is, without asking its broker."""
    if connection is not None:
        with suppress(Exception):  # it is broken: that is why it goes
            connection.collect()


def is_about_one_thing(error: BaseException) -> bool:
    """Whether the broker is well and refused one queue or exchange only."""
    return any(isinstance(each, amqp.exceptions.ChannelError) for each in _chain(error))


_SILENT = f"it did not answer within {ANSWER_SECONDS:g} seconds"
_CLOSED = "it closed the connection"
_ENCODE = "In user name, password and virtual host, write / as %2F, : as %3A, @ as %40, # as %23, ? as %3F, % as %25."


def _space(scheme: str, path: str) -> str:
    if scheme.startswith("amqp"):
        return path or "/"
    if path and not (path.isascii() and path.isdecimal()):
        raise SettingsError(f"{_VARIABLE} must end with the number of Redis's database, as in /0.")
    return path or "0"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from, the first cause first."""
    if error is not None:
        yield from _chain(error.__cause__ or (None if error.__suppress_context__ else error.__context__))
        yield error
