"""Regular expressions in filters, within a budget of time.

On SQLite an engine searches that can be stopped. PostgreSQL searches itself, each statement within a limit; its dialect
is near Python's, and `api.dialect` brings patterns into it.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import regex
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

MAX_LENGTH = 1000
MAX_WEIGHT = 5000
"""How many elements a pattern may have, each counted as often as it is repeated. Compiling unrolls them."""

CANCELLED, NO_PATTERN = "57014", "2201B"
"""What PostgreSQL calls a statement that took too long, and a regular expression that it cannot read."""

REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


class Budget:
    """How much time the searches of one request may still take."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.exhausted_by: str | None = None


_budget: ContextVar[Budget | None] = ContextVar("regex_budget", default=None)


@contextmanager
def budget(seconds: float) -> Iterator[Budget]:
    """Let searches within take `seconds` together. One that exceeds them fails as a database error."""
    new = Budget(seconds)
    reset = _budget.set(new)
    try:
        yield new
    finally:
        _budget.reset(reset)


@contextmanager
def limited_statements(seconds: float) -> Iterator[None]:
    """On PostgreSQL let each statement within take `seconds`. One that exceeds them fails as a database error."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(max(1, round(seconds * 1000)))])
        yield


def failure_of(error: BaseException) -> str | None:
    """PostgreSQL's code for what failed."""
    code: str | None = getattr(error.__cause__, "sqlstate", None) if isinstance(error, DatabaseError) else None
    return code


@lru_cache(maxsize=64)
def compiled(pattern: str) -> "regex.Pattern[str]":
    """The compiled pattern.

    Raises:
        ValueError: it is none of Python's, or compiling it would take too much memory.
    """
    try:
        # Python's own syntax is what is promised. It has no recursion, and reading it costs little, whatever it says.
        weight = weigh(_parser.parse(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None
    if weight > MAX_WEIGHT:
        raise ValueError(f"its repeats come to {weight} elements, more than {MAX_WEIGHT}")
    return regex.compile(pattern)


def weigh(parsed: Any) -> int:
    """How many elements a parsed pattern has once its counted repeats are unrolled.

    >>> [weigh(_parser.parse(text)) for text in ("abc", "a{100}", "(?:a{100}b){100}", "a*|b+")]
    [3, 100, 10100, 3]
    """
    total = 0
    for kind, value in parsed:
        if kind in REPEATS:
            least, most, repeated = value
            total += max(1, least if most is _constants.MAXREPEAT else most) * weigh(repeated)
        elif kind is _constants.IN:
            total += len(value)
        else:
            total += sum(map(weigh, _parts(value))) or 1
    return total


def _parts(value: Any) -> Iterator[Any]:
    """The patterns within an element: of a group, a choice, a look-around."""
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _parts(each)


def search(pattern: str | None, text: Any) -> bool | None:
    """SQLite's `text REGEXP pattern`."""
    if pattern is None or text is None:
        return None
    limits = _budget.get() or Budget(settings.SALTANT.filter_time)
    started = time.perf_counter()
    try:
        if limits.left <= 0:
            raise TimeoutError
        return compiled(pattern).search(str(text), timeout=limits.left) is not None
    except (TimeoutError, MemoryError, RecursionError):
        limits.exhausted_by = pattern
        raise
    finally:
        limits.left -= time.perf_counter() - started


def install(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Put `search` in the place of Django's own function, which nothing can stop."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("regexp", 2, search, deterministic=True)
