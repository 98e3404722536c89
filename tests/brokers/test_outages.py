"""A broker that is killed, hangs or is away: nothing stops for good, and it is said once."""

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from saltant.engine import EngineUnavailable
from saltant.engine.brokers import check_broker
from saltant.engine.celery import CeleryEngine
from saltant.jobs import Kind
from tests.brokers.rig import Slot, a_ticket, wait_for
from tests.services import Service


def descendants(broker: Service) -> set[int]:
    """The broker and what it started, without its guard."""
    assert broker.process is not None
    parent_of = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            parent_of[int(place.name)] = int(place.joinpath("stat").read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    parents = {broker.process.pid}
    while parents := {pid for pid, parent in parent_of.items() if parent in parents}:
        found |= parents
    return found


def signal_all(broker: Service, number: int) -> set[int]:
    """Send a signal to all of them; returns which they are."""
    found = descendants(broker)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return found


def hang(broker: Service) -> None:
    """Stop it whole, until nothing of it runs: one thread may still deliver what another does not confirm any more."""
    wait_for(lambda: all(map(_stands, signal_all(broker, signal.SIGSTOP))) and all(map(_stands, descendants(broker))))
    assert descendants(broker)


def _stands(pid: int) -> bool:
    """Whether all threads of a process are stopped, or it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            if task.joinpath("stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
                return False
    return True


def works(engine: CeleryEngine) -> bool:
    try:
        engine.ping()
    except EngineUnavailable:
        return False
    return True


def test_killed_while_slots_wait(
    engine: CeleryEngine, worker: Any, queue: str, broker: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "saltant.worker")
    source = worker()
    slots = [Slot(source), Slot(source)]
    engine.ping()
    broker.kill()
    wait_for(lambda: "cannot be used" in caplog.text)
    with pytest.raises(EngineUnavailable, match="nothing listens there"):
        engine.publish(a_ticket(queue))
    broker.start()
    wait_for(lambda: works(engine))
    tickets = {a_ticket(queue), a_ticket(queue)}
    for ticket in tickets:
        engine.publish(ticket)
    assert {slot.get() for slot in slots} == tickets
    wait_for(lambda: "is back" in caplog.text)
    assert "Traceback" not in caplog.text
    assert [record.message.endswith("is back.") for record in caplog.records if record.name == "saltant.worker"] == [
        False,
        True,
    ]


def test_killed_while_tickets_wait_and_the_worker_is_busy(
    engine: CeleryEngine, worker: Any, queue: str, broker: Service
) -> None:
    tickets = [a_ticket(queue) for _ in range(3)]
    for ticket in tickets:
        engine.publish(ticket)
    source = worker()
    assert source.take(None, (), 10) == tickets[0]
    broker.settle()
    broker.kill()
    broker.start()
    taken: list[Any] = []
    while tickets[2] not in taken and len(taken) < 9:
        taken.append(source.take(None, (), 10))
    # RabbitMQ writes down later what was acknowledged: the first may come twice, and its claim says no.
    assert [ticket for ticket in taken if ticket != tickets[0]] == tickets[1:]


def test_an_idle_server_does_not_notice_a_restart(engine: CeleryEngine, queue: str, broker: Service) -> None:
    engine.publish(a_ticket(queue))
    broker.settle()
    broker.kill()
    broker.start()
    check_broker(broker.url)
    engine.publish(a_ticket(queue))
    assert engine.depth(queue, Kind.EXECUTABLE) == 2


def test_a_cancel_while_it_is_away(engine: CeleryEngine, queue: str, broker: Service) -> None:
    engine.ping()
    broker.kill()
    try:
        with pytest.raises(EngineUnavailable):
            engine.cancel(a_ticket(queue).attempt.uuid)
        with pytest.raises(EngineUnavailable):
            engine.depth(queue, Kind.EXECUTABLE)
    finally:
        broker.start()
    wait_for(lambda: works(engine))


def test_a_ticket_that_cannot_be_given_back_is_left_to_the_server(
    worker: Any, queue: str, broker: Service, caplog: pytest.LogCaptureFixture
) -> None:
    source = worker()
    broker.kill()
    try:
        source.give_back(a_ticket(queue))
    finally:
        broker.start()
    assert "left to the server" in caplog.text


def test_one_that_hangs_hangs_nobody(engine: CeleryEngine, worker: Any, queue: str, broker: Service) -> None:
    engine.ping()
    source = worker()
    slot = Slot(source)
    try:
        hang(broker)
        for _ in range(2):
            with pytest.raises(EngineUnavailable, match="did not answer"):
                engine.publish(a_ticket(queue))
        source.close()
        assert slot.get() is None
    finally:
        signal_all(broker, signal.SIGCONT)
    wait_for(lambda: works(engine))
