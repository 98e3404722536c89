"""The backend: Django imports `DatabaseWrapper` from here."""

from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import Any

from django.db.backends.sqlite3 import base, operations

LONGEST = 10_000
"""Characters of a statement that is kept: what is longer depends on the data, and hardly comes again."""
PATIENCE = 30.0
"""Seconds that a transaction waits for its turn; then it is SQLite that says what is wrong."""

_turn = Lock()


class Cursor(base.SQLiteCursorWrapper):
    """Puts SQLite's own placeholders into a statement once, and not each time that it is run."""

    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        names = None if param_names is None else tuple(param_names)
        return _convert(query, names) if len(query) > LONGEST else _convert_once(query, names)


def _convert(query: str, param_names: tuple[str, ...] | None) -> str:
    convert: Any = base.SQLiteCursorWrapper.convert_query
    converted: str = convert(None, query, param_names=param_names)
    return converted


_convert_once = lru_cache(maxsize=1000)(_convert)


class DatabaseOperations(operations.DatabaseOperations):
    """Writes times in UTC, as ours are, without asking the time zones what they are there."""

    def adapt_datetimefield_value(self, value: Any) -> Any:
        if type(value) is datetime and value.tzinfo is UTC:
            return str(value.replace(tzinfo=None))  # what Django writes where a database has no zone of its own
        return super().adapt_datetimefield_value(value)


class DatabaseWrapper(base.DatabaseWrapper):
    """Lets one transaction of this process begin after the other.

    SQLite takes one writer at a time, and whoever finds it busy sleeps for milliseconds before they look again: under
    load, threads slept for a third of their time. Here the next one is woken. Statements without a transaction, and
    other processes, still wait as SQLite has them.
    """

    ops_class = DatabaseOperations

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_turn = False

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=Cursor)

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
