"""The line between server processes, on a PostgreSQL that is killed and started again."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from saltant.server.hub.board import Board
from saltant.server.hub.line import Line
from saltant.server.tasks.changes import CHANNEL, Change
from tests.services import PostgreSQL
from tests.services.fixtures import obtain

UUIDS = [f"{number:032x}" for number in range(1000)]
BOUND = 30.0


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    """A database of these tests' own."""
    with obtain(PostgreSQL) as made:
        yield made


class Heard(Board):
    """A board that writes down what is posted."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[tuple[Change, list[str]]] = []

    def post(self, change: Change, uuids: object) -> None:
        self.posted.append((change, list(uuids)))  # type: ignore[call-overload]

    def uuids(self, change: Change) -> list[str]:
        """All that were posted of a change."""
        return [uuid for posted, uuids in self.posted if posted is change for uuid in uuids]


@contextmanager
def lines(database: PostgreSQL) -> Iterator[tuple[Line, Heard, Heard]]:
    """A line that tells, its board, and the board of another that hears; both listen."""
    url = psycopg.conninfo.conninfo_to_dict(database.url)
    here, there = Heard(), Heard()
    telling, hearing = Line(here, url), Line(there, url)
    telling.start()
    hearing.start()
    try:
        until(lambda: (Change.UNKNOWN, []) in here.posted and (Change.UNKNOWN, []) in there.posted)
        yield telling, here, there
    finally:
        telling.stop()
        hearing.stop()


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""

    async def look() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(look(), BOUND))


def test_others_hear_and_the_teller_once(database: PostgreSQL) -> None:
    with lines(database) as (line, here, there):
        line.tell(Change.ENDED, UUIDS)
        line.tell(Change.LOGGED, UUIDS[:1])
        until(lambda: there.uuids(Change.LOGGED))
        assert there.uuids(Change.ENDED) == UUIDS
        with psycopg.connect(database.url, autocommit=True) as last:
            last.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"moved {UUIDS[1]}"])  # as a command does
        until(lambda: here.uuids(Change.MOVED) and there.uuids(Change.MOVED))
        assert here.uuids(Change.MOVED) == there.uuids(Change.MOVED) == UUIDS[1:2]
        assert here.uuids(Change.ENDED) == UUIDS


def test_what_is_nonsense_is_passed_over(database: PostgreSQL) -> None:
    with lines(database) as (_, _, there), psycopg.connect(database.url, autocommit=True) as anybody:
        for said in ("", " ", "nonsense", "x y z", "ended", f"moved {UUIDS[0]}"):
            anybody.execute("SELECT pg_notify(%s, %s)", [CHANNEL, said])
        until(lambda: there.uuids(Change.MOVED))
        assert there.uuids(Change.ENDED) == []


def test_a_database_that_comes_back(database: PostgreSQL) -> None:
    with lines(database) as (line, here, there):
        database.kill()
        here.posted.clear()
        there.posted.clear()
        line.tell(Change.ENDED, UUIDS[:2])  # while it is away
        assert here.uuids(Change.ENDED) == UUIDS[:2]
        database.start()
        # Who cannot know what was missed looks again; and what was to be told is told then, or before.
        until(lambda: (Change.UNKNOWN, []) in here.posted and (Change.UNKNOWN, []) in there.posted)
        line.tell(Change.MOVED, UUIDS[:1])
        until(lambda: there.uuids(Change.MOVED))


def test_too_much_to_keep_becomes_one_word(database: PostgreSQL) -> None:
    url = psycopg.conninfo.conninfo_to_dict(database.url)
    line = Line(Heard(), url)  # not started: as while the database is away
    for part in range(30):
        line.tell(Change.ENDED, [f"{part}-{number}" for number in range(1000)])
    assert sum(map(len, line._outbox.values())) <= 21_000
    with lines(database) as (_, _, there):
        there.posted.clear()
        line.start()
        until(lambda: any(change is Change.UNKNOWN for change, _ in there.posted))
        line.stop()
