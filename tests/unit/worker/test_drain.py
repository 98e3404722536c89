"""Drains, refusals and what a worker is told in heartbeats."""

import threading
from collections.abc import Callable

import pytest

from saltant.reasons import Reason
from saltant.workers import Orders, Refused
from tests.unit.worker.rig import Rig, alive, until

MakeRig = Callable[..., Rig]
Script = Callable[..., str]

WAITER = "#!/bin/sh\necho ready; while [ ! -e $JOB_RESULTS_DIRECTORY/go ]; do sleep 0.01; done"


def stops(rig: Rig) -> bool:
    waiting = threading.Thread(target=rig.worker.wait, daemon=True)
    waiting.start()
    waiting.join(30)
    return not waiting.is_alive()


@pytest.mark.parametrize("who", ["worker", "server"])
def test_a_drain_finishes_what_runs_and_takes_nothing_new(make_rig: MakeRig, script: Script, who: str) -> None:
    rig = make_rig(slots=2, heartbeat_seconds=0.02)
    first = rig.submit(script(WAITER))
    rig.said(first)
    if who == "worker":
        rig.worker.drain()
        rig.worker.drain()
    else:
        rig.server.orders = Orders(drain=True)
    until(lambda: rig.server.closed and rig.server.left == [True])
    second = rig.submit("/bin/true")
    (rig.folders.of(first).results / "go").touch()
    assert rig.end_of(first).exit_code == 0
    assert stops(rig)
    assert second not in rig.server.claimed
    assert rig.server.left == [True, False]


def test_an_idle_worker_drains_at_once(rig: Rig) -> None:
    until(lambda: rig.server.announced)
    rig.worker.drain()
    assert stops(rig)
    assert rig.server.left[-1] is False


def test_a_drain_waits_until_ends_are_reported(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.server.troubles["finish"] = 3
    attempt = rig.submit("/bin/sleep 0.05")
    until(lambda: attempt in rig.server.claimed)
    rig.worker.drain()
    assert stops(rig)
    assert rig.server.ends[attempt].exit_code == 0


def test_a_drain_is_hurried_by_a_stop(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig(stopped=(Reason.LOST, "Its worker was stopped while it ran."))
    attempt = rig.submit(script(WAITER))
    rig.said(attempt)
    rig.worker.drain()
    until(lambda: rig.server.closed)
    rig.worker.end_now(10)
    assert stops(rig)
    end = rig.server.ends[attempt]
    assert (end.reason, end.signal) == (Reason.LOST, 15)
    assert end.message.startswith("Its worker was stopped while it ran.")
    assert alive(attempt.uuid) == []


def test_end_now_kills_what_does_not_go(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig()
    attempt = rig.submit(script("#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 1000; done"))
    rig.said(attempt)
    rig.worker.end_now(0.3)
    assert rig.server.ends[attempt].signal == 9
    assert stops(rig)


def test_a_worker_that_never_reached_its_server_drains(make_rig: MakeRig) -> None:
    rig = make_rig(start=False)
    rig.server.troubles["announce"] = 10**9
    rig.worker.start()
    until(lambda: rig.server.troubles["announce"] < 10**9)
    rig.worker.drain()
    assert stops(rig)
    assert rig.server.left == []


def test_a_worker_that_is_refused_stops(make_rig: MakeRig) -> None:
    rig = make_rig(start=False)
    rig.server.refusal = Refused("Not you.")
    attempt = rig.submit("/bin/true")
    rig.worker.start()
    assert stops(rig)
    assert str(rig.worker.refused) == "Not you."
    assert attempt not in rig.server.claimed
    assert rig.server.left == []


def test_a_server_that_forgot_it_is_told_again(make_rig: MakeRig) -> None:
    rig = make_rig(heartbeat_seconds=0.02)
    until(lambda: rig.server.holding)
    rig.server.orders = Orders(announce=True)
    until(lambda: len(rig.server.holding) == 2)
    assert rig.server.holding == [set(), None]


def test_what_runs_goes_on_though_a_later_announcement_is_refused(make_rig: MakeRig) -> None:
    rig = make_rig(heartbeat_seconds=0.02)
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    rig.server.refusal = Refused("Not any more.")
    rig.server.orders = Orders(announce=True)
    count = len(rig.server.heartbeats)
    until(lambda: len(rig.server.heartbeats) > count + 3)
    assert alive(attempt.uuid) != []
    assert rig.worker.refused is None


def test_it_is_ready_once_it_is_announced(make_rig: MakeRig) -> None:
    ready: list[int] = []
    rig = make_rig(start=False, on_ready=lambda: ready.append(len(rig.server.announced)))
    rig.server.troubles["announce"] = 2
    rig.worker.start()
    until(lambda: ready)
    assert ready == [1]


def test_what_fails_as_it_gets_ready_stops_it(make_rig: MakeRig) -> None:
    def fail() -> None:
        raise OSError("no broker library")

    rig = make_rig(on_ready=fail)
    assert stops(rig)
    assert "no broker library" in str(rig.worker.refused)


def test_a_ticket_that_comes_twice_is_served_once(make_rig: MakeRig) -> None:
    """Though the server would answer both claims: the same worker asks, whose first answer may have got lost."""
    rig = make_rig()
    claims = rig.server.claim

    def claim_again(ticket, worker):  # type: ignore[no-untyped-def]
        rig.server.claimed.discard(ticket.attempt)
        return claims(ticket, worker)

    rig.server.claim = claim_again  # type: ignore[method-assign]
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    (pid,) = alive(attempt.uuid)
    rig.repeat(attempt)
    rig.run("/bin/true")
    assert alive(attempt.uuid) == [pid]
    rig.cancel(attempt)
    assert rig.end_of(attempt).reason is Reason.CANCELLED


def test_a_cancel_is_looked_into_where_it_runs(make_rig: MakeRig) -> None:
    rig = make_rig()
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    rig.server.cancelled.add(attempt)
    rig.worker.look_into(attempt.uuid)
    assert rig.end_of(attempt).reason is Reason.CANCELLED
    count = len(rig.server.heartbeats)
    rig.worker.look_into(attempt.uuid)
    rig.run("/bin/true")
    assert len(rig.server.heartbeats) == count
