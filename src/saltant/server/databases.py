"""What Django is told of the database: SQLite in the folder of `saltant up`, PostgreSQL for `saltant server`."""

from typing import Any

import dj_database_url

from saltant.config import Settings, SettingsError

CONNECT_TIMEOUT = 5
"""Seconds after which a database that does not answer is taken for away."""


def sqlite(settings: Settings) -> dict[str, Any]:
    """The database in the folder."""
    return {
        "ENGINE": "saltant.server.sqlite",
        "NAME": settings.data_dir / "saltant.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A read-then-write that begins DEFERRED is "database is locked" at once when somebody else writes.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            # FULL: what was answered survives a power cut.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=268435456",
        },
    }


def postgresql(settings: Settings) -> dict[str, Any]:
    """The database that SALTANT_DATABASE_URL names.

    Raises:
        SettingsError: it names none of PostgreSQL's.
    """
    if not settings.database_url.startswith(("postgresql://", "postgres://")):
        raise SettingsError("SALTANT_DATABASE_URL must begin with postgresql://: saltant runs on PostgreSQL.")
    try:
        parsed = dj_database_url.parse(settings.database_url, engine="saltant.server.postgresql")
    except ValueError:  # which may show a part of the password
        raise SettingsError("SALTANT_DATABASE_URL cannot be read: it is no URL.") from None
    options = {
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": "saltant",
        # Statements that come again are planned once: it halves what the database has to do for a job.
        "server_side_binding": True,
        "prepare_threshold": 5,
    }
    # Connections are kept; one that died while nobody used it is noticed before a request fails by it.
    kept = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    return {**parsed, **kept, "OPTIONS": options | parsed.get("OPTIONS", {})}
