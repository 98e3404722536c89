"""Redis for the tests."""

import itertools
from collections.abc import Sequence

from tests.services import certificates
from tests.services.base import Service, program

PASSWORD = "cache-secret"


class Redis(Service):
    """A Redis.

    Args:
        persistent: keep what is stored across a kill. Otherwise a kill loses everything.
    """

    name = "redis"

    def __init__(self, *, host: str = "127.0.0.1", tls: bool = False, persistent: bool = False) -> None:
        self.program = program("redis-server")
        super().__init__(host=host, tls=tls)
        self.persistent = persistent
        self.numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Its database 0."""
        return f"{'rediss' if self.tls else 'redis'}://:{PASSWORD}@{self.host}:{self.port}/0"

    def new_url(self) -> str:
        """One of its databases that nobody was given yet."""
        return f"{self.url.removesuffix('/0')}/{next(self.numbers)}"

    def prepare(self) -> None:
        """Make certificates, where they are needed."""
        if self.tls:
            certificates.make(self.folder, self.host)

    def command(self) -> Sequence[str]:
        """The server in the foreground."""
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if self.persistent else ["--appendonly", "no"]
        places = ["--dir", str(self.folder), "--requirepass", PASSWORD, "--daemonize", "no"]
        return [self.program, *self.listeners(), *places, "--save", "", "--databases", "100", *kept]

    def listeners(self) -> Sequence[str]:
        """The options that say where it listens."""
        if not self.tls:
            return ["--bind", self.host, "--port", str(self.port)]
        files = ["--tls-ca-cert-file", "ca.pem", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"]
        ports = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
        return ["--bind", self.host, *ports, *files]

    def answers(self) -> bool:
        """Whether it is ready: while it loads its data it says so."""
        with self.connect() as connection:
            connection.sendall(f"AUTH {PASSWORD}\r\nPING\r\n".encode())
            with connection.makefile("rb") as lines:
                return [lines.readline(), lines.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
