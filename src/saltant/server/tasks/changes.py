"""Tells those who wait that something changed, once it is committed.

This process's own hub hears of it at once; the others by PostgreSQL's NOTIFY. In the transaction itself nothing is
notified: PostgreSQL lets only one commit at a time pass that does so.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from itertools import islice
from uuid import UUID

from django.db import connection, transaction

CHANNEL = "saltant_changes"
A_PAYLOAD = 200
"""UUIDs. One notification of PostgreSQL's holds less than 8000 bytes."""


class Change(StrEnum):
    """What happened to instances."""

    ENDED = "ended"
    MOVED = "moved"  # to another state, not the last one
    LOGGED = "logged"
    UNKNOWN = "unknown"  # nobody can say what, nor to which


Outlet = Callable[[Change, Sequence[str]], None]
_outlet: Outlet | None = None


def send_to(outlet: Outlet | None) -> None:
    """Have changes told to `outlet`, which must neither fail nor take long; UUIDs are 32 hexadecimal digits.

    Without one, PostgreSQL tells the processes that have one.
    """
    global _outlet
    _outlet = outlet


def tell(*uuids: UUID, ended: bool = False) -> None:
    """Say that the states of instances change in this transaction."""
    _tell(Change.ENDED if ended else Change.MOVED, uuids)


def tell_log(*uuids: UUID) -> None:
    """Say that logs of instances grow in this transaction."""
    _tell(Change.LOGGED, uuids)


def payloads(change: Change, uuids: Sequence[str]) -> Iterator[str]:
    """What a change is as notifications.

    >>> list(payloads(Change.ENDED, ["a" * 32, "b" * 32]))
    ['ended aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb']
    """
    left = iter(uuids)
    while some := list(islice(left, A_PAYLOAD)):
        yield f"{change.value} {' '.join(some)}"


def _tell(change: Change, uuids: Sequence[UUID]) -> None:
    if uuids:
        transaction.on_commit(partial(_send, change, [uuid.hex for uuid in uuids]), robust=True)


def _send(change: Change, uuids: Sequence[str]) -> None:
    if _outlet is not None:
        _outlet(change, uuids)
    elif connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for payload in payloads(change, uuids):
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
