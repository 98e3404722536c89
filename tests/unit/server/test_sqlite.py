"""Transactions of one process take turns, and whoever waits is woken."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.db.utils import ConnectionHandler

from saltant.server.sqlite import base


@pytest.fixture
def handler(tmp_path: Path, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectionHandler]:
    """Connections to a database of its own, one a thread."""
    # Who connects may wait for others who do; who writes may not.
    commands = "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=0"
    options = {"transaction_mode": "IMMEDIATE", "timeout": 30.0, "init_command": commands}
    made = ConnectionHandler(
        {"default": {"ENGINE": "saltant.server.sqlite", "NAME": tmp_path / "x.sqlite3", "OPTIONS": options}}
    )
    monkeypatch.setattr(transaction, "connections", made)
    with django_db_blocker.unblock():
        with made["default"].cursor() as cursor:
            cursor.execute("CREATE TABLE numbers (number INTEGER UNIQUE)")
        yield made
        made["default"].close()


def insert(handler: ConnectionHandler, number: int) -> None:
    with handler["default"].cursor() as cursor:
        cursor.execute("INSERT INTO numbers VALUES (%s)", [number])


def numbers(handler: ConnectionHandler) -> list[int]:
    with handler["default"].cursor() as cursor:
        cursor.execute("SELECT number FROM numbers ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


def test_many_threads_write_and_none_finds_it_locked(handler: ConnectionHandler) -> None:
    """SQLite itself would not wait at all here: its time-out is 0."""

    def write(number: int) -> None:
        try:
            with transaction.atomic():
                insert(handler, number)
                with transaction.atomic():
                    insert(handler, -number)
        finally:
            handler["default"].close()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write, number) for number in range(1, 101)]:
            done.result(timeout=60)
    assert numbers(handler) == [number for number in range(-100, 101) if number]


@pytest.mark.parametrize("how", ["error", "rollback", "close"])
def test_a_turn_ends_with_its_transaction(handler: ConnectionHandler, how: str) -> None:
    """However that ends."""
    insert(handler, 1)
    try:
        with transaction.atomic():
            if how == "error":
                insert(handler, 1)
            elif how == "rollback":
                transaction.set_rollback(True)
            else:
                handler["default"].close()
    except DatabaseError:
        assert how != "rollback"
    assert not base._turn.locked()
    with transaction.atomic():
        assert base._turn.locked()
        insert(handler, 2)
    assert numbers(handler) == [1, 2]


def test_who_cannot_have_a_turn_is_told_by_sqlite(handler: ConnectionHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PATIENCE", 0.01)
    begun, go = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            begun.set()
            go.wait(60)
        handler["default"].close()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert begun.wait(60)
        with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
            pass
        assert base._turn.locked()
        go.set()
        held.result(timeout=60)
    with transaction.atomic():
        insert(handler, 3)
