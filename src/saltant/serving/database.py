"""Whether the database of `saltant server` can be reached, before Django is asked anything."""

import logging
import time
from urllib.parse import urlsplit, urlunsplit

import psycopg

from saltant.config import Settings
from saltant.server.databases import CONNECT_TIMEOUT, postgresql

log = logging.getLogger("saltant.server")

FIRST_DELAY, LAST_DELAY = 0.5, 30.0
"""Seconds between two tries."""


def without_password(url: str) -> str:
    """A URL as it may be shown.

    >>> without_password("postgresql://ada:secret@db.example.org:5432/saltant?sslmode=require")
    'postgresql://ada@db.example.org:5432/saltant'
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, user.partition(":")[0] + at + host, parts.path, "", ""))


def problem(settings: Settings) -> str | None:
    """Why the database cannot be used now, in a sentence; None if it can.

    Raises:
        SettingsError: its URL cannot be one.
    """
    postgresql(settings)
    try:
        psycopg.connect(settings.database_url, connect_timeout=CONNECT_TIMEOUT, application_name="saltant").close()
    except psycopg.Error as error:
        why = " ".join(str(error).split()).rstrip(".")
        return f"The database {without_password(settings.database_url)} cannot be used: {why}."
    return None


def wait_for_database(settings: Settings) -> None:
    """Try until the database answers."""
    delay = FIRST_DELAY
    while (why := problem(settings)) is not None:
        log.error("%s Trying again in %g s.", why, delay)
        time.sleep(delay)
        delay = min(delay * 2, LAST_DELAY)
