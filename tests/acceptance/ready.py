"""Databases that are set up already: each PostgreSQL makes one, and copies it for every cluster.

`Cluster` sets an empty database up by the commands that people use; tests that are not about those take one of these.
"""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from tests.services import PostgreSQL

SPARES = [f"spare-{number}" for number in range(10)]
"""Queues beside `default` that the workers of a cluster serve, for tests that need one of their own."""


@dataclass(frozen=True)
class Ready:
    """A database with an admin, their token, the queues, a whitelist, and a token of workers of all queues."""

    url: str
    token: str
    worker_token: str


_made: "WeakKeyDictionary[PostgreSQL, Ready]" = WeakKeyDictionary()


def ready_database(postgresql: "PostgreSQL") -> Ready:
    """A database of its own for a cluster."""
    first = _made.get(postgresql)
    if first is None:
        first = _made[postgresql] = _make(postgresql.new_database())
    return replace(first, url=postgresql.new_database(copy_of=first.url))


def _make(url: str) -> Ready:
    base = {name: value for name, value in os.environ.items() if not name.startswith("SALTANT_")}
    environ = base | {"SALTANT_DATABASE_URL": url, "SALTANT_SECRET_KEY": "is not kept in the database: " + "x" * 32}
    done = subprocess.run([sys.executable, __file__], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Ready(url, *done.stdout.split())


def fill() -> None:
    """Do in one process what `saltant migrate`, `user create`, `token create` and a few requests do."""
    from saltant.serving.migrations import migrate_database

    migrate_database()
    from saltant.server.accounts.models import Role
    from saltant.server.accounts.people import create_user
    from saltant.server.accounts.tokens import create_token
    from saltant.server.tasks.models import TaskQueue, TaskWhitelist

    admin = create_user("admin", admin=True)
    whitelist = TaskWhitelist.objects.create(name="default", user=admin)
    queues = [TaskQueue.objects.create(name=name, user=admin) for name in ("default", *SPARES)]
    for queue in queues:
        queue.whitelists.add(whitelist)
    print(create_token(admin)[1], create_token(admin, Role.WORKER, queues)[1])


if __name__ == "__main__":
    fill()
