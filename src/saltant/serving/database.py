"""Whether the database of `saltant server` can be reached, before Django is asked anything."""

import logging
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import psycopg

from saltant.config import Settings, SettingsError
from saltant.server.databases import postgresql

log = logging.getLogger("saltant.server")

FIRST_DELAY, LAST_DELAY = 0.5, 30.0
"""Seconds between two tries."""

_VARIABLE = "SALTANT_DATABASE_URL"
_DJANGOS_OWN = ("assume_role", "isolation_level", "pool", "server_side_binding")
_ENCODE = "In user name and password, write / as %2F, : as %3A, @ as %40, # as %23, ? as %3F, % as %25."


def without_password(url: str) -> str:
    """A URL as it may be shown.

    >>> without_password("postgresql://ada:secret@db.example.org:5432/saltant?sslmode=require")
    'postgresql://ada@db.example.org:5432/saltant'
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, user.partition(":")[0] + at + host, parts.path, "", ""))


def parameters(settings: Settings) -> dict[str, Any]:
    """What `psycopg.connect` is told: the same as Django tells it.

    Raises:
        SettingsError: the URL cannot be one. It shows nothing of the URL, which may hold a password in any place.
    """
    _split(settings.database_url)
    try:
        database = postgresql(settings)
    except (ValueError, SettingsError):
        raise _unreadable("it is no URL") from None
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    found: dict[str, Any] = {name: database[key] for name, key in named.items() if database.get(key)}
    found |= {name: value for name, value in database["OPTIONS"].items() if name not in _DJANGOS_OWN}
    if not {"dbname", "service"} & found.keys():
        raise _unreadable("it names no database: it looks like postgresql://USER:PASSWORD@HOST:5432/NAME")
    return found


def problem(settings: Settings) -> str | None:
    """Why the database cannot be used now, in a sentence; None if it can.

    Raises:
        SettingsError: its URL cannot be one.
    """
    told = parameters(settings)
    try:
        psycopg.connect(**told).close()
    except psycopg.Error as error:
        return f"The database {without_password(settings.database_url)} cannot be used: {why(error)}."
    return None


def why(error: Exception) -> str:
    """The first thing that the database, or the way to it, says: where several addresses were tried it says more."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return first.removeprefix("connection failed: ").rstrip(".?")


def wait_for_database(settings: Settings) -> None:
    """Try until the database answers."""
    delay = FIRST_DELAY
    while (why := problem(settings)) is not None:
        log.error("%s Trying again in %g s.", why, delay)
        time.sleep(delay)
        delay = min(delay * 2, LAST_DELAY)


def _split(url: str) -> SplitResult:
    if not url.startswith(("postgresql://", "postgres://")):
        raise SettingsError(f"{_VARIABLE} must begin with postgresql://: saltant runs on PostgreSQL.")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is read to be checked
    except ValueError as error:
        raise _unreadable("its port is no number up to 65535" if "ort" in str(error) else "its host is none") from None
    if parts.fragment or "@" in parts.path + parts.query:
        raise _unreadable("it ends too early")
    return parts


def _unreadable(why: str) -> SettingsError:
    return SettingsError(f"{_VARIABLE} cannot be used: {why}. {_ENCODE}")
