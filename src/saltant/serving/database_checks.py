"""What `saltant check` looks at in the database of a `saltant server`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from saltant.checks import Part, Wrong
from saltant.config import Settings, SettingsError
from saltant.serving.database import parameters, problem, why, without_password
from saltant.serving.supervisor import CONNECTIONS, default_count

OLDEST = 14
"""The oldest PostgreSQL that saltant runs on."""
DRIFT = 1.0
"""Seconds by which the clocks of server and database may differ."""

REACH = "Start PostgreSQL, or correct SALTANT_DATABASE_URL."


def database_parts(settings: Settings) -> list[Part]:
    """What is to be looked at in the database of the settings."""
    look = Looks(settings)
    return [
        Part("database", look.check_database, is_remote=True),
        Part("connections", look.check_connections, needs=["database"], is_remote=True),
        Part("migrations", look.check_migrations, needs=["database"], is_remote=True),
        Part("admin", look.check_admin, needs=["migrations"], is_remote=True),
        Part("workers", look.check_workers, needs=["migrations"], is_remote=True),
        Part("clock", look.check_clock, needs=["database"], is_remote=True),
    ]


class Looks:
    """Looks at one database, each time from a thread and over a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check_database(self) -> str:
        """It can be reached, is not too old, and takes writes."""
        try:
            told = problem(self._settings)
        except SettingsError as error:
            raise Wrong(str(error), "Correct that variable.") from None
        if told is not None:
            raise Wrong(told, REACH)
        with self._connection() as connection:
            number = connection.info.server_version
            if number < OLDEST * 10000:
                raise Wrong(f"It is PostgreSQL {number // 10000}.", f"Upgrade it: saltant needs {OLDEST} or later.")
            if _one(connection, "SHOW transaction_read_only") == "on":
                raise Wrong("The database takes no writes: it is a standby, or set to read only.", "Name the primary.")
            self._check_rights(connection)
        return f"PostgreSQL {number // 10000}.{number % 10000} at {without_password(self._settings.database_url)}"

    def check_connections(self) -> str:
        """PostgreSQL gives a server as many as it may want."""
        with self._connection() as connection:
            most = int(_one(connection, "SHOW max_connections"))
            most -= int(_one(connection, "SHOW superuser_reserved_connections"))
            for limit in (
                "SELECT datconnlimit FROM pg_database WHERE datname = current_database()",
                "SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user",
            ):
                found = int(_one(connection, limit))
                most = min(most, found) if found >= 0 else most
            others = int(
                _one(
                    connection,
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND application_name <> 'saltant'",
                )
            )
        count = default_count()
        needed = count * CONNECTIONS
        says = f"{most} allowed, {others} in use by others, up to {needed} wanted by a server of {count} processes"
        if most - others < needed:
            raise Wrong(f"Too few: {says}.", "Raise max_connections, or start `saltant server` with fewer --processes.")
        return says

    def check_migrations(self) -> str:
        """The tables are as this version wants them."""
        from saltant.server.health import missing_migrations

        with _django():
            missing = missing_migrations()
        if missing:
            raise Wrong(
                f"{len(missing)} migrations are not applied: {', '.join(missing[:3])}.", "Run `saltant migrate`."
            )
        return "all applied"

    def check_admin(self) -> str:
        """There is somebody who may do everything."""
        from saltant.server.accounts.models import User

        with _django():
            count = User.objects.filter(is_superuser=True, is_active=True).count()
        if not count:
            raise Wrong("There is no active admin.", "Run `saltant user create NAME --admin --no-password`.")
        return "1 admin" if count == 1 else f"{count} admins"

    def check_clock(self) -> str:
        """The database has the same time."""
        with self._connection() as connection:
            before, began = datetime.now(UTC), time.monotonic()
            theirs = _one(connection, "SELECT clock_timestamp()")
            took = time.monotonic() - began
        return tell_drift((before - theirs).total_seconds() + took / 2, took / 2)

    def check_workers(self) -> str:
        """Somebody serves each queue in which something waits."""
        from saltant.server.tasks.models import TaskInstance, TaskQueue
        from saltant.server.tasks.services.room import serves
        from saltant.server.tasks.waiting import live_workers
        from saltant.states import WAITING

        with _django():
            workers = live_workers()
            names = list(TaskQueue.objects.order_by("name").values_list("name", flat=True))
            waiting = TaskInstance.objects.filter(state__in=WAITING, task_queue__paused=False)
            awaited = set(waiting.values_list("task_queue__name", flat=True).distinct())
        unserved = [name for name in names if not any(serves(worker, name) for worker in workers)]
        hungry = [name for name in unserved if name in awaited]
        online = f"{len(workers)} online"
        if hungry:
            raise Wrong(
                f"{online}; nobody serves {', '.join(hungry)}, where instances wait.",
                f"Run `saltant worker --queue {hungry[0]}` on some machine, or pause the queue.",
            )
        if not names:
            return f"{online}; there is no queue yet"
        return f"{online}; nobody serves {', '.join(unserved)}" if unserved else f"{online}, every queue is served"

    def _check_rights(self, connection: "psycopg.Connection[Any]") -> None:
        user = _one(connection, "SELECT current_user")
        if not _one(connection, "SELECT has_schema_privilege(coalesce(current_schema(), 'public'), 'CREATE')"):
            raise Wrong(
                f"The user {user} may not make tables there.",
                f"GRANT CREATE ON SCHEMA public TO {user}; or make {user} the database's owner.",
            )
        table = _one(connection, "SELECT to_regclass('tasks_taskinstance')::oid")
        if table is None:
            return
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            if not _one(connection, "SELECT has_table_privilege(%s::oid, %s)", table, right):
                raise Wrong(f"The user {user} may not {right} in saltant's tables.", f"Make {user} their owner.")

    @contextmanager
    def _connection(self) -> "Iterator[psycopg.Connection[Any]]":
        try:
            with psycopg.connect(**parameters(self._settings), autocommit=True) as connection:
                yield connection
        except psycopg.Error as error:
            raise Wrong(f"The database failed: {why(error)}.", REACH) from None


def tell_drift(ahead: float, unsure: float) -> str:
    """What is to be said of a clock that is so many seconds ahead of the database's, give or take `unsure`.

    Raises:
        Wrong: that is too much.
    """
    if abs(ahead) > DRIFT + unsure:
        raise Wrong(
            f"This clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the database's.",
            "Set both by NTP: leases and expiry times go by them.",
        )
    return f"{abs(ahead):.1f} s from the database's"


@contextmanager
def _django() -> Iterator[None]:
    """Django's own connection, of this thread."""
    from django.db import DatabaseError, connection

    try:
        yield
    except DatabaseError as error:
        raise Wrong(f"The database failed: {why(error)}.", REACH) from None
    finally:
        connection.close()


def _one(connection: "psycopg.Connection[Any]", question: Any, *values: Any) -> Any:
    row = connection.execute(question, values or None).fetchone()
    return row[0] if row else None
