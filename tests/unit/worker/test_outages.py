"""A worker whose server is away: ends are kept, and what another attempt would follow is ended."""

import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from saltant.jobs import Attempt, End
from saltant.reasons import Reason
from saltant.worker.cut_off import CUT_OFF, CutOff
from saltant.worker.running import Running
from saltant.worker.spool import Spool
from tests.unit.worker.rig import Rig, alive, until

MakeRig = Callable[..., Rig]
FOREVER = 10**9
DONE = End(Reason.EXITED, exit_code=0)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.open()
    return spool


def test_an_end_is_kept_on_disk_until_the_server_has_it(make_rig: MakeRig, spool: Spool) -> None:
    rig = make_rig(spool=spool)
    rig.server.troubles["finish"] = FOREVER
    attempt = rig.submit("/bin/sh -c 'exit 7'")
    until(lambda: {each: end.exit_code for each, end in Spool(spool.folder).open().items()} == {attempt: 7})
    rig.server.troubles["finish"] = 0
    assert rig.end_of(attempt).exit_code == 7
    until(lambda: Spool(spool.folder).open() == {})


def test_an_end_that_is_reported_at_once_touches_no_disk(
    make_rig: MakeRig, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts: list[Attempt] = []
    monkeypatch.setattr(Spool, "put", lambda self, attempt, end: puts.append(attempt))
    rig = make_rig(spool=spool)
    rig.run("/bin/true")
    assert puts == []


def test_ends_of_an_earlier_life_are_delivered_after_the_announcement(make_rig: MakeRig, spool: Spool) -> None:
    attempts = [Attempt(uuid4(), number) for number in (1, 2, 3)]
    for attempt in attempts:
        spool.put(attempt, DONE)
    rig = make_rig(spool=spool, held=spool.open())
    for attempt in attempts:
        assert rig.end_of(attempt) == DONE
    assert rig.server.holding == [set(attempts)]
    until(lambda: spool.open() == {})


def test_a_start_without_ends_says_that_it_holds_nothing(rig: Rig) -> None:
    until(lambda: rig.server.holding)
    assert rig.server.holding == [set()]


def test_ends_of_an_earlier_life_stay_leased_until_they_are_reported(make_rig: MakeRig, spool: Spool) -> None:
    attempt = Attempt(uuid4(), 1)
    spool.put(attempt, DONE)
    rig = make_rig(spool=spool, held=spool.open(), heartbeat_seconds=0.02)
    rig.server.troubles["finish"] = 5
    until(lambda: [attempt] in rig.server.heartbeats or attempt in rig.server.ends)
    rig.end_of(attempt)
    count = len(rig.server.heartbeats)
    until(lambda: [] in rig.server.heartbeats[count:])


def test_an_end_that_the_server_gave_up_is_forgotten(make_rig: MakeRig, spool: Spool) -> None:
    attempt = Attempt(uuid4(), 1)
    spool.put(attempt, DONE)
    rig = make_rig(start=False, spool=spool, held=spool.open())
    rig.server.finish = lambda attempt, worker, end: False  # type: ignore[method-assign]
    rig.worker.start()
    until(lambda: spool.open() == {})
    assert rig.worker.running == []


def test_what_is_not_reported_at_a_stop_is_on_disk(make_rig: MakeRig, spool: Spool) -> None:
    """Also what is just being told to a server that does not answer."""
    rig = make_rig(spool=spool, stopped=(Reason.LOST, "Its worker was stopped while it ran."))
    gate = threading.Event()

    def hang(*_: object) -> bool:
        gate.wait(60)
        raise ConnectionError

    rig.server.finish = hang  # type: ignore[method-assign]
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    rig.worker.stop(0)
    (end,) = spool.open().values()
    gate.set()
    assert end.reason is Reason.LOST
    assert end.message.startswith("Its worker was stopped while it ran. ")


def test_a_full_disk_loses_nothing_while_the_worker_lives(
    make_rig: MakeRig, spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Spool, "put", full)
    rig = make_rig(spool=spool)
    rig.server.troubles["finish"] = 3
    attempt = rig.submit("/bin/true")
    assert rig.end_of(attempt).exit_code == 0
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert "No space left" in told[0]


def test_cut_off_it_ends_what_is_retried_and_lets_the_rest_run(make_rig: MakeRig) -> None:
    rig = make_rig(heartbeat_seconds=0.05, kill_grace=0.2)
    retried = rig.submit("/bin/sleep 1000", lease=1.5, is_retried_when_lost=True)
    other = rig.submit("/bin/sleep 1000", lease=1.5)
    until(lambda: alive(retried.uuid) and alive(other.uuid))
    rig.server.troubles["heartbeat"] = FOREVER
    end = rig.end_of(retried)
    assert end.reason is Reason.LOST
    assert end.message.startswith(CUT_OFF)
    assert alive(retried.uuid) == []
    assert alive(other.uuid) != []


def test_while_the_server_answers_nothing_is_ended(make_rig: MakeRig) -> None:
    rig = make_rig(heartbeat_seconds=0.02)
    attempt = rig.submit("/bin/sleep 1000", lease=1.0, is_retried_when_lost=True)
    until(lambda: alive(attempt.uuid))
    running = rig.worker._slots._running[attempt]
    first = running.renewed
    until(lambda: running.renewed > first + 1.5)  # longer than the lease
    assert alive(attempt.uuid) != []


def test_a_worker_that_cannot_be_heard_from_the_start_counts_from_its_claim(make_rig: MakeRig) -> None:
    rig = make_rig(heartbeat_seconds=0.02)
    rig.server.troubles["heartbeat"] = FOREVER
    attempt = rig.submit("/bin/sleep 1000", lease=1.0, is_retried_when_lost=True)
    assert rig.end_of(attempt).reason is Reason.LOST


@pytest.mark.parametrize(
    ("lease", "grace", "sigterm", "sigkill"),
    [(60, 5, 50, 55), (60, 100, 30, 55), (8, 5, 4, 7), (1, 0, 0.875, 0.875), (1e8, 5, 1e8 - 10, 1e8 - 5)],
)
def test_the_last_moment_leaves_time_and_at_least_half_of_the_lease(
    lease: float, grace: float, sigterm: float, sigkill: float
) -> None:
    assert CutOff(list, grace).last_moment(lease) == (sigterm, sigkill)


def test_what_is_over_or_ending_is_not_ended_again() -> None:
    cut_off = CutOff(list, 5.0)
    now = time.monotonic()
    over, cancelled, young, late = (Running(Attempt(uuid4(), 1), 60.0, now) for _ in range(4))
    over.is_over = True
    cancelled.end(Reason.CANCELLED, 5.0)
    assert cut_off.step(over, now + 100) is None
    assert cut_off.step(cancelled, now + 100) is None
    assert cut_off.step(young, now + 20) == pytest.approx(30)
    assert cut_off.step(late, now + 51) is None
    assert [each.reason for each in (over, cancelled, young, late)] == [None, Reason.CANCELLED, None, Reason.LOST]
    assert Running(Attempt(uuid4(), 1)).lease is None


def test_trouble_is_told_once_and_its_end(make_rig: MakeRig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "saltant.worker")
    rig = make_rig(heartbeat_seconds=0.01)
    rig.server.troubles["heartbeat"] = 4
    until(lambda: rig.server.troubles["heartbeat"] == 0 and rig.server.heartbeats)
    until(lambda: "reached again" in caplog.text)
    assert caplog.text.count("The server cannot be reached: the database is locked") == 1
