"""The backend: Django imports `DatabaseWrapper` from here."""

from threading import Lock
from typing import Any

from django.db.backends.sqlite3 import base

PATIENCE = 30.0
"""Seconds that a transaction waits for its turn; then it is SQLite that says what is wrong."""

_turn = Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """Lets one transaction of this process begin after the other.

    SQLite takes one writer at a time, and whoever finds it busy sleeps for milliseconds before they look again: under
    load, threads slept for a third of their time. Here the next one is woken. Statements without a transaction, and
    other processes, still wait as SQLite has them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        self._has_turn = self._has_turn or _turn.acquire(timeout=PATIENCE)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._end_turn()  # after one that failed comes a rollback

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turn.release()
