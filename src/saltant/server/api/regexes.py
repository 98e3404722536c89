"""Regular expressions in filters, for SQLite: searched by an engine that can be stopped, within a budget of time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import regex
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

MAX_LENGTH = 1000


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


@lru_cache(maxsize=64)
def compiled(pattern: str) -> "regex.Pattern[str]":
    """The compiled pattern."""
    return regex.compile(pattern)


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
    except TimeoutError:
        limits.exhausted_by = pattern
        raise
    finally:
        limits.left -= time.perf_counter() - started


def install(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Put `search` in the place of Django's own function, which nothing can stop."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("regexp", 2, search, deterministic=True)
