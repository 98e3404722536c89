"""The worker's loop: claims, heartbeats, cancels, stops."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from saltant.jobs import Attempt, Kind, Ticket
from saltant.reasons import Reason
from saltant.worker.running import Running
from tests.unit.worker.rig import Rig, alive, is_running, until

MakeRig = Callable[..., Rig]
Script = Callable[..., str]

DEAF = "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 1000; done"


def test_it_says_what_it_serves(make_rig: MakeRig) -> None:
    rig = make_rig(queues=("a", "b"), slots=3)
    until(lambda: rig.server.announced)
    assert rig.server.announced == [("rig", ("a", "b"), {Kind.EXECUTABLE}, 3)]


def test_many_jobs_each_run_once(make_rig: MakeRig) -> None:
    rig = make_rig(slots=4)
    attempts = [rig.submit("/bin/echo", {"n": number}) for number in range(60)]
    for number, attempt in enumerate(attempts):
        assert rig.end_of(attempt).exit_code == 0
        assert rig.folders.of(attempt).stdout.read_text() == f'{{"n": {number}}}\n'
    assert rig.worker.running == [] or until(lambda: rig.worker.running == [])


def test_as_many_run_at_once_as_it_has_slots(make_rig: MakeRig) -> None:
    rig = make_rig(slots=3)
    attempts = [rig.submit("/bin/sleep 1000") for _ in range(5)]
    until(lambda: sum(bool(alive(attempt.uuid)) for attempt in attempts) == 3)
    assert len(rig.server.claimed) == 3


def test_a_slot_goes_on_while_an_end_is_on_its_way(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Callable[[], None]] = []
    told = rig.server.finish_soon
    monkeypatch.setattr(rig.server, "finish_soon", lambda *said: answers.append(lambda: told(*said)))
    first, second = rig.submit("/bin/true"), rig.submit("/bin/true")
    until(lambda: len(answers) == 2)
    assert not rig.server.ends
    assert set(rig.worker.running) == {first, second}  # their leases are renewed until the server has the ends
    for answer in answers:
        answer()
    assert rig.end_of(first).exit_code == rig.end_of(second).exit_code == 0
    until(lambda: rig.worker.running == [])


def test_ends_and_the_next_claims_go_together_while_tickets_wait(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1, exchanges=True, start=False)
    attempts = [rig.submit("/bin/echo", {"n": number}) for number in range(5)]
    rig.worker.start()
    for number, attempt in enumerate(attempts):
        assert rig.end_of(attempt).exit_code == 0
        assert rig.folders.of(attempt).stdout.read_text() == f'{{"n": {number}}}\n'
    assert rig.server.exchanged == list(pairwise(attempts))
    until(lambda: rig.worker.running == [])
    later = rig.submit("/bin/true")
    assert rig.end_of(later).exit_code == 0


def test_an_exchange_that_fails_is_done_one_by_one(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1, exchanges=True, start=False)
    attempts = [rig.submit("/bin/true") for _ in range(4)]
    rig.server.troubles = {"exchange": 2}
    rig.worker.start()
    for attempt in attempts:
        assert rig.end_of(attempt).exit_code == 0
    until(lambda: rig.worker.running == [])
    assert rig.server.claimed == set(attempts)


def test_an_end_is_told_although_no_ticket_can_be_taken(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig(slots=1, exchanges=True, start=False)
    take = rig.server.take

    def take_or_fail(queues: object, kinds: object, timeout: float | None) -> object:
        if timeout == 0:
            raise OSError("the source is gone")
        return take(None, list(Kind), timeout)

    monkeypatch.setattr(rig.server, "take", take_or_fail)
    attempts = [rig.submit("/bin/true") for _ in range(2)]
    rig.worker.start()
    for attempt in attempts:
        assert rig.end_of(attempt).exit_code == 0
    assert rig.server.exchanged == []


def test_a_drain_claims_nothing_with_the_last_end(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1, exchanges=True)
    first = rig.submit("/bin/sh -c 'echo ready; sleep 1000'")
    rig.said(first)
    second = rig.submit("/bin/true")
    rig.worker.drain()
    rig.cancel(first)
    assert rig.end_of(first).reason is Reason.CANCELLED
    rig.worker.wait()
    assert second not in rig.server.claimed


def test_what_was_claimed_with_its_ticket_is_run_though_a_drain_came(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(slots=1, start=False)
    take = rig.server.take

    def take_and_drain(*wanted: Any) -> Ticket | None:
        ticket = take(*wanted)
        rig.worker.drain()
        return None if ticket is None else replace(ticket, is_claimed=True)

    monkeypatch.setattr(rig.server, "take", take_and_drain)
    attempt = rig.submit("/bin/echo done")
    rig.worker.start()
    rig.worker.wait()
    assert rig.server.ends[attempt].exit_code == 0


def test_what_runs_is_in_every_heartbeat(make_rig: MakeRig) -> None:
    rig = make_rig(heartbeat_seconds=0.02)
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: [attempt] in rig.server.heartbeats)
    rig.cancel(attempt)
    rig.end_of(attempt)
    count = len(rig.server.heartbeats)
    until(lambda: [] in rig.server.heartbeats[count:])


def test_a_cancel_before_the_claim_starts_nothing(rig: Rig) -> None:
    first = rig.server.submit("/bin/sleep 0.1")
    attempt = rig.submit("/bin/echo ran")
    rig.cancel(attempt)
    rig.end_of(first)
    rig.run("/bin/true")
    assert not rig.folders.of(attempt).stdout.exists() or rig.server.ends[attempt].reason is Reason.CANCELLED


def test_a_cancel_between_claim_and_start_is_not_lost(rig: Rig) -> None:
    """The cancel's look comes, and is answered, while the worker does not know yet that it has the attempt."""

    def cancel(attempt: Attempt) -> None:
        count = len(rig.server.heartbeats)
        rig.cancel(attempt)
        until(lambda: len(rig.server.heartbeats) > count)

    rig.server.after_claim = cancel
    attempt = rig.submit("/bin/sleep 1000")
    assert rig.end_of(attempt).reason is Reason.CANCELLED
    assert alive(attempt.uuid) == []


def test_a_ticket_that_cannot_be_claimed_for_long_comes_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saltant.worker.slots._CLAIM_TRIES", 2)
    rig.server.troubles["claim"] = 5
    attempt = rig.submit("/bin/true")
    assert rig.end_of(attempt).exit_code == 0


def test_an_order_holds_before_there_is_a_process() -> None:
    ended: list[float] = []

    class Endable:
        def end(self, grace: float) -> None:
            ended.append(grace)

        def force(self) -> None:
            raise AssertionError

    running = Running(Attempt(uuid4(), 1))
    running.end(Reason.CANCELLED, 5.0)
    running.end(Reason.SERVER_STOPPED, 50.0)
    running.attach(Endable())
    assert 4.0 < ended[0] <= 5.0
    running.end(Reason.SERVER_STOPPED, 1.0)
    running.end(Reason.SERVER_STOPPED, 2.0)
    assert ended[1:] == [1.0]
    assert running.reason is Reason.CANCELLED


@pytest.mark.parametrize("call", ["announce", "claim", "heartbeat", "finish"])
def test_a_server_that_is_busy_is_asked_again(make_rig: MakeRig, call: str) -> None:
    rig = make_rig()
    rig.server.troubles[call] = 3
    attempt = rig.submit("/bin/sleep 1000" if call == "heartbeat" else "/bin/true")
    if call == "heartbeat":
        until(lambda: alive(attempt.uuid))
        rig.cancel(attempt)
    end = rig.end_of(attempt)
    assert end.reason is (Reason.CANCELLED if call == "heartbeat" else Reason.EXITED)


def test_an_attempt_stays_leased_until_its_end_is_reported(make_rig: MakeRig) -> None:
    rig = make_rig(heartbeat_seconds=0.01)
    rig.server.troubles["finish"] = 4
    attempt = rig.submit("/bin/true")
    until(lambda: rig.server.troubles["finish"] < 4)
    count = len(rig.server.heartbeats)
    until(lambda: len(rig.server.heartbeats) > count + 1)
    assert rig.server.heartbeats[count + 1] == [attempt] or attempt in rig.server.ends
    assert rig.end_of(attempt).exit_code == 0


def test_a_kind_it_cannot_run_is_an_error_of_that_attempt(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1)
    attempt = rig.submit("x", kind=Kind.DOCKER)
    assert rig.end_of(attempt).reason is Reason.WORKER_ERROR
    assert rig.run("/bin/true")[0].exit_code == 0


def test_a_fault_in_the_worker_ends_that_attempt_only(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig(slots=1)
    with monkeypatch.context() as patch:
        patch.setattr("saltant.worker.runners.process.to_end", fault)
        end, _ = rig.run("/bin/sleep 0.01")
    assert end.reason is Reason.WORKER_ERROR
    assert "KeyError" in end.message
    assert rig.run("/bin/true")[0].exit_code == 0


def test_a_fault_after_the_start_leaves_nothing_alive(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig(slots=1)
    with monkeypatch.context() as patch:
        patch.setattr(Running, "attach", fault)
        attempt = rig.submit("/bin/sleep 1000")
        assert rig.end_of(attempt).reason is Reason.WORKER_ERROR
    assert alive(attempt.uuid) == []


def fault(*_: object) -> None:
    raise KeyError


def stop_within(rig: Rig, grace: float) -> float:
    began = time.monotonic()
    rig.worker.stop(grace)
    return time.monotonic() - began


def test_stop_when_idle_is_at_once_and_ends_the_launcher(rig: Rig) -> None:
    rig.run("/bin/true")
    launcher = rig.launcher.pid
    assert launcher is not None
    assert stop_within(rig, 60) < 30
    until(lambda: not is_running(launcher))


def test_stop_takes_nothing_new_and_lets_end_what_ends_by_itself(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig(slots=1)
    first = rig.submit(script("#!/bin/sh\necho ready; while [ ! -e $JOB_RESULTS_DIRECTORY/go ]; do sleep 0.01; done"))
    rig.said(first)
    second = rig.submit("/bin/true")
    stopping = threading.Thread(target=rig.worker.stop, args=(60,))
    stopping.start()
    until(lambda: rig.server.closed)
    (rig.folders.of(first).results / "go").touch()
    assert rig.end_of(first).exit_code == 0
    stopping.join(30)
    assert not stopping.is_alive()
    assert second not in rig.server.claimed


def test_stop_ends_what_does_not_end_within_its_grace(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig(kill_grace=1000)
    polite, deaf = rig.submit("/bin/sleep 1000"), rig.submit(script(DEAF))
    rig.said(deaf)
    until(lambda: alive(polite.uuid))
    took = stop_within(rig, 3)
    assert took < 20  # the grace, with room for a busy machine
    assert (rig.server.ends[polite].reason, rig.server.ends[polite].signal) == (Reason.SERVER_STOPPED, 15)
    assert (rig.server.ends[deaf].reason, rig.server.ends[deaf].signal) == (Reason.SERVER_STOPPED, 9)
    assert alive(polite.uuid) == alive(deaf.uuid) == []


def test_a_second_stop_hurries_the_first(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig(kill_grace=1000)
    deaf = rig.submit(script(DEAF))
    rig.said(deaf)
    stopping = threading.Thread(target=rig.worker.stop, args=(1000,))
    stopping.start()
    until(lambda: rig.server.closed)
    rig.worker.stop(0)
    stopping.join(30)
    assert not stopping.is_alive()
    assert rig.server.ends[deaf].reason is Reason.SERVER_STOPPED
    assert alive(deaf.uuid) == []


def test_stop_is_bounded_though_the_server_is_away(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.server.troubles["finish"] = 10**9
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    assert stop_within(rig, 0) < 20
    assert alive(attempt.uuid) == []


def test_a_cancelled_job_stays_cancelled_when_the_worker_stops(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig(kill_grace=1000)
    deaf = rig.submit(script(DEAF))
    rig.said(deaf)
    rig.cancel(deaf)
    until(lambda: any(deaf in beat for beat in rig.server.heartbeats))
    until(lambda: rig.worker._slots._running[deaf].reason)
    rig.worker.stop(0)
    assert rig.server.ends[deaf].reason is Reason.CANCELLED
