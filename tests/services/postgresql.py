"""PostgreSQL for the tests."""

import itertools
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

import psycopg

from tests.services.base import Service, program, unprivileged

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
USER, PASSWORD = "saltant", "database-secret"


class PostgreSQL(Service):
    """A PostgreSQL that loses what a power cut would cost, but nothing at a crash of its own.

    Args:
        options: further settings of postgresql.conf.
    """

    name = "postgresql"
    stops_by = signal.SIGINT  # its fast shutdown: SIGTERM waits for clients to leave

    def __init__(self, *, host: str = "127.0.0.1", options: Mapping[str, str] | None = None) -> None:
        self.initdb, self.postgres = program("initdb", *PLACES), program("postgres", *PLACES)
        super().__init__(host=host)
        if os.getuid() == 0:  # which it refuses to run as
            user = unprivileged("postgres", "nobody")
            self.uid, self.gid = user.pw_uid, user.pw_gid
            os.chown(self.folder, self.uid, self.gid)
        settings = {
            "listen_addresses": host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "off",
            "full_page_writes": "off",
        }
        self.settings = settings | dict(options or {})
        self.numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """The database `postgres`, which is there from the start."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """A database of this server."""
        return f"postgresql://{USER}:{PASSWORD}@{self.host}:{self.port}/{database}"

    def prepare(self) -> None:
        """Create the cluster."""
        kept = self.folder / "password"
        kept.write_text(PASSWORD)
        kept.chmod(0o644)
        options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", f"--username={USER}", "--no-sync"]
        made = subprocess.run(
            [self.initdb, f"--pgdata={self.folder / 'data'}", f"--pwfile={kept}", *options],
            cwd=self.folder,
            env=self.environ(),
            capture_output=True,
            text=True,
            **({"user": self.uid, "group": self.gid, "extra_groups": []} if os.getuid() == 0 else {}),
        )
        assert made.returncode == 0, made.stderr
        if self.host != "127.0.0.1":
            with (self.folder / "data" / "pg_hba.conf").open("a") as access:
                access.write("host all all all scram-sha-256\n")

    def command(self) -> Sequence[str]:
        """The server itself."""
        settings = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        return [self.postgres, "-D", str(self.folder / "data"), *settings]

    def answers(self) -> bool:
        """Whether it lets somebody in."""
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def new_database(self, copy_of: str | None = None) -> str:
        """The URL of a new database: an empty one, or a copy of another that nobody is using."""
        name = f"test_{os.getpid()}_{next(self.numbers)}"
        template = f' TEMPLATE "{copy_of.rpartition("/")[2]}"' if copy_of else ""
        self.execute(f'CREATE DATABASE "{name}"{template}')
        return self.url_of(name)

    def execute(self, statement: str) -> None:
        """Run a statement in the database `postgres`, outside of a transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]
