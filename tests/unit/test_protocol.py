"""What server and worker say comes out as it went in, and nothing that one of them says breaks the other."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltant import protocol
from saltant.jobs import Attempt, End, Job, Kind, Ticket
from saltant.protocol import Malformed
from saltant.reasons import Reason
from saltant.workers import Announcement, Orders

UUID_ = UUID(int=7)
NAME = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=200).filter(
    lambda name: name not in (".", "..")
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001 - the strategy's own
LARGE = st.integers(0, 2**63 - 1)
SECONDS = st.floats(0, 1e9)
ATTEMPTS = st.builds(Attempt, st.uuids(), st.integers(1, 2**31 - 1))
TICKETS = st.builds(Ticket, ATTEMPTS, NAME, st.sampled_from(Kind), st.integers(0, 9))
ENDS = st.builds(
    End,
    st.sampled_from(Reason),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
    st.none() | st.integers(-(2**31) + 1, 2**31 - 1),
    st.none() | st.integers(0, 2**31 - 1),
    st.none() | TIMES,
    st.none() | TIMES,
    st.none() | SECONDS,
    st.none() | LARGE,
    NAME | st.just(""),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
JOBS = st.builds(
    Job,
    ATTEMPTS,
    st.sampled_from(Kind),
    st.text(),
    st.dictionaries(st.text(), JSON, max_size=3),
    st.lists(st.text(), max_size=3),
    timeout=st.none() | SECONDS,
    memory=st.none() | LARGE,
    lease=st.none() | SECONDS,
    is_retried_when_lost=st.booleans(),
    gpus=st.none() | st.integers(1, 8),
    container_user=st.text(),
    read_only_root=st.booleans(),
    shm_size=st.none() | LARGE,
)
ANNOUNCEMENTS = st.builds(
    Announcement,
    worker=NAME,
    identity=st.text("0123456789abcdef", max_size=64),
    queues=st.none() | st.lists(NAME, max_size=3).map(sorted),
    kinds=st.lists(st.sampled_from(Kind), unique=True).map(sorted),
    slots=st.integers(1, 2**31 - 1),
    host=NAME | st.just(""),
    protocol=st.integers(0, 2**31 - 1),
    cpus=st.none() | st.floats(0.01, 1e6),
    memory=st.none() | st.integers(1, 2**63 - 1),
    gpus=st.lists(NAME, max_size=3),
)
RUNNING = st.dictionaries(ATTEMPTS, st.none() | TIMES, max_size=5)
ORDERS = st.builds(Orders, st.frozensets(ATTEMPTS, max_size=5), st.booleans(), st.booleans())


def sent(said: Any) -> Any:
    """What arrives."""
    return json.loads(json.dumps(said))


@given(TICKETS)
def test_tickets(ticket: Ticket) -> None:
    assert protocol.ticket_from_json(sent(protocol.ticket_to_json(ticket))) == ticket


@given(JOBS)
def test_jobs(job: Job) -> None:
    assert protocol.job_from_json(sent(protocol.job_to_json(job)) | {"news": 1}) == job


@given(ENDS)
def test_ends(end: End) -> None:
    assert protocol.end_from_json(sent(protocol.end_to_json(end))) == end


@given(ANNOUNCEMENTS)
def test_announcements(said: Announcement) -> None:
    assert protocol.announcement_from_json(sent(protocol.announcement_to_json(said))) == said


@given(RUNNING)
def test_what_runs(running: dict[Attempt, datetime | None]) -> None:
    assert protocol.running_from_json(sent(protocol.running_to_json(running))) == running


@given(ORDERS)
def test_orders(orders: Orders) -> None:
    assert protocol.orders_from_json(sent(protocol.orders_to_json(orders))) == orders


READERS = [
    protocol.attempt_from_json,
    protocol.ticket_from_json,
    protocol.job_from_json,
    protocol.end_from_json,
    protocol.announcement_from_json,
    protocol.running_from_json,
    protocol.orders_from_json,
    protocol.holding_from_json,
    protocol.worker_of,
    protocol.protocol_of,
    protocol.time_of,
    protocol.is_draining,
]
WHOLE: dict[str, Any] = {
    "uuid": str(UUID_),
    "number": 1,
    "queue": "q",
    "kind": "docker",
    "reason": "exited",
    "worker": "w",
    "slots": 1,
    "protocol": 1,
    "time": "2026-01-01T00:00:00Z",
}


@given(JSON, st.sampled_from([*WHOLE, "priority", "started", "cpu_seconds", "exit_code", "queues", "gpus", "holding"]))
def test_whatever_comes_is_read_or_malformed(value: Any, key: str) -> None:
    for read in READERS:
        for said in (value, WHOLE | {key: value}):
            try:
                read(said)
            except Malformed as error:
                assert str(error)  # noqa: PT017 - which of the two it is depends on what came


@pytest.mark.parametrize(
    ("read", "wrong", "words"),
    [
        (protocol.attempt_from_json, {"number": 2**31}, "'number' must be between 1 and 2147483647"),
        (protocol.attempt_from_json, {"number": 0}, "'number' must be between"),
        (protocol.attempt_from_json, {"number": True}, "'number' cannot be True"),
        (protocol.attempt_from_json, {"number": 10**5000}, "a number of very many digits"),
        (protocol.attempt_from_json, {"uuid": "x"}, "'x' is no UUID"),
        (protocol.ticket_from_json, {"priority": 10}, "'priority' must be between 0 and 9"),
        (protocol.ticket_from_json, {"queue": "x" * 201}, "'queue' may have 200 characters, not 201"),
        (protocol.ticket_from_json, {"kind": "x"}, "'x' is no kind of job"),
        (protocol.end_from_json, {"exit_code": 2**31}, "'exit_code' must be between"),
        (protocol.end_from_json, {"peak_memory": 2**63}, "'peak_memory' must be between"),
        (protocol.end_from_json, {"cpu_seconds": float("nan")}, "'cpu_seconds' must be between"),
        (protocol.end_from_json, {"cpu_seconds": 10**400}, "'cpu_seconds' must be between"),
        (protocol.end_from_json, {"cpu_seconds": -1}, "'cpu_seconds' must be between"),
        (protocol.end_from_json, {"reason": "x" * 9999}, "is no reason"),
        (protocol.end_from_json, {"started": "noon"}, "'noon' is no time"),
        (protocol.end_from_json, {"started": "2026-01-01T00:00:00"}, "lacks its time zone"),
        (protocol.end_from_json, {"started": "0001-01-01T00:00:00+14:00"}, "no time that a calendar has"),
        (protocol.announcement_from_json, {"worker": ""}, "'worker' is missing"),
        (protocol.announcement_from_json, {"worker": "a\0"}, "cannot be printed"),
        (protocol.announcement_from_json, {"worker": "\ud800"}, "cannot be printed"),
        (protocol.announcement_from_json, {"worker": "a/b"}, "stands in a URL"),
        (protocol.announcement_from_json, {"worker": ".."}, "stands in a URL"),
        (protocol.announcement_from_json, {"queues": ["\0"]}, "'queues' cannot be"),
        (protocol.announcement_from_json, {"queues": [1]}, "'queues' must be a list of texts"),
        (protocol.announcement_from_json, {"gpus": ["x"] * 1001}, "A list may hold 1000 things, not 1001"),
        (protocol.announcement_from_json, {"slots": 0}, "'slots' must be between"),
        (protocol.announcement_from_json, {"memory": 2**63}, "'memory' must be between"),
        (protocol.announcement_from_json, {"cpus": 0}, "'cpus' must be between"),
        (protocol.announcement_from_json, {"version": "1" * 51}, "'version' may have 50 characters"),
    ],
)
def test_what_no_database_holds(read: Any, wrong: dict[str, Any], words: str) -> None:
    read(WHOLE)
    with pytest.raises(Malformed) as caught:
        read(WHOLE | wrong)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300
    str(caught.value).encode()


def test_an_end_is_not_lost_for_its_message() -> None:
    read = protocol.end_from_json(WHOLE | {"message": "a\0b\ud800c" + "x" * 20_000})
    assert read.message.startswith("a\ufffdb\ufffdcx")
    assert (len(read.message), read.message[-1]) == (10_000, "…")


def test_times_are_utc() -> None:
    assert protocol.time_of({"time": "2026-01-01T14:00:00+14:00"}).isoformat() == "2026-01-01T00:00:00+00:00"
    assert protocol.time_of({"time": "2026-01-01T00:00:00Z"}) == datetime(2026, 1, 1, tzinfo=UTC)
