"""Whether this server can do its work: `/readyz`."""

import logging
import shutil
from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from saltant.server.tasks import dispatch

log = logging.getLogger("saltant.health")

ROOM = 1024 * 1024
"""Bytes that must be free: a little more than one write to the database takes."""

_migrated = False


class Unready(Exception):
    """A part does not work. The message says so, to whoever asks: no particulars."""


def readyz(request: HttpRequest) -> HttpResponse:
    """200 if every part works, 503 otherwise: `{"status": "ok", "parts": {"database": "ok", …}}`. Open to everybody."""
    parts = readiness()
    ready = all(said == "ok" for said in parts.values())
    body = {"status": "ok" if ready else "unready", "parts": parts}
    return JsonResponse(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


def readiness() -> dict[str, str]:
    """Each part and "ok", or what is wrong with it."""
    return {name: _try(name, part) for name, part in PARTS.items()}


def _try(name: str, part: Callable[[], None]) -> str:
    try:
        part()
    except Unready as unready:
        return str(unready)
    except Exception as error:
        log.warning("Not ready: %s: %s", name, error)
        return "It cannot be reached; the server's log says why."
    return "ok"


def check_database() -> None:
    """Raises whatever the database does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_disk() -> None:
    """Raises Unready where the database's disk has no room to write."""
    folder = settings.SALTANT.data_dir
    if connection.vendor == "sqlite" and folder.exists() and shutil.disk_usage(folder).free < ROOM:
        raise Unready("The disk is full: nothing can be written.")


def check_migrations() -> None:
    """Raises Unready while migrations are missing. Once none is, it stays so: nobody takes them back under a server."""
    global _migrated
    _migrated = _migrated or not missing_migrations()
    if not _migrated:
        command = "start `saltant up` anew" if connection.vendor == "sqlite" else "run `saltant migrate`"
        raise Unready(f"The database lacks migrations: {command}.")


def check_engine() -> None:
    """Raises EngineUnavailable."""
    dispatch.engine().ping()


def missing_migrations() -> list[str]:
    """The names of migrations that the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


PARTS = {"database": check_database, "disk": check_disk, "migrations": check_migrations, "engine": check_engine}
