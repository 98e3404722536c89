"""Tickets get from the server to slots that are free, in their order."""

from typing import Any

import pytest

from saltant.engine.celery import CeleryEngine
from saltant.engine.messages import HIGHEST
from saltant.jobs import Kind
from tests.brokers.rig import Channel, Slot, a_ticket
from tests.services import Service


def test_they_come_as_they_were_sent(engine: CeleryEngine, worker: Any, queue: str) -> None:
    tickets = [a_ticket(queue, number=number) for number in range(1, 20)]
    for ticket in tickets:
        engine.publish(ticket)
    source = worker()
    assert [source.take(None, (), 10) for _ in tickets] == tickets


def test_the_most_urgent_come_first(engine: CeleryEngine, worker: Any, queue: str) -> None:
    tickets = [a_ticket(queue, priority=priority) for priority in (5, 0, 9, 5, 8, 1, 9)]
    for ticket in tickets:
        engine.publish(ticket)
    source = worker()
    taken = [source.take(None, (), 10) for _ in tickets]
    assert taken == sorted(tickets, key=lambda ticket: -ticket.priority)


def test_one_that_waits_already_gets_the_next(engine: CeleryEngine, worker: Any, queue: str) -> None:
    slot = Slot(worker())
    ticket = a_ticket(queue)
    engine.publish(ticket)
    assert slot.get() == ticket


def test_a_busy_worker_holds_none(engine: CeleryEngine, worker: Any, queue: str) -> None:
    tickets = [a_ticket(queue) for _ in range(6)]
    busy, other = worker(), worker()
    slots = [Slot(busy), Slot(busy)]
    for ticket in tickets:
        engine.publish(ticket)
    taken = [slot.get() for slot in slots]
    assert set(taken) == set(tickets[:2])
    assert engine.depth(queue, Kind.EXECUTABLE) == 4
    assert [other.take(None, (), 10) for _ in range(4)] == tickets[2:]
    late = a_ticket(queue)
    engine.publish(late)
    assert busy.take(None, (), 10) == late


def test_a_worker_takes_from_all_its_queues_and_kinds_and_no_other(
    engine: CeleryEngine, worker: Any, queue: str
) -> None:
    source = worker(queues=[queue, f"{queue}-b"], kinds=(Kind.EXECUTABLE, Kind.DOCKER))
    own = [a_ticket(name, kind=kind) for name in (queue, f"{queue}-b") for kind in (Kind.EXECUTABLE, Kind.DOCKER)]
    other = [a_ticket(queue, kind=Kind.SINGULARITY), a_ticket(f"{queue}-c")]
    for ticket in other + own:
        engine.publish(ticket)
    assert {source.take(None, (), 10) for _ in own} == set(own)
    assert source.take(None, (), 0.3) is None
    assert engine.depth(queue, Kind.SINGULARITY) == 1
    assert engine.depth(f"{queue}-c", Kind.EXECUTABLE) == 1


@pytest.mark.parametrize("name", ["grün", "a@b+c-d_e", "研究" * 25])
def test_any_name_of_a_queue(engine: CeleryEngine, worker: Any, name: str) -> None:
    ticket = a_ticket(name, kind=Kind.SINGULARITY)
    engine.publish(ticket)
    assert worker(queues=[name], kinds=(Kind.SINGULARITY,)).take(None, (), 10) == ticket


def test_what_was_taken_is_gone(engine: CeleryEngine, worker: Any, queue: str) -> None:
    engine.publish(a_ticket(queue))
    source = worker()
    assert source.take(None, (), 10)
    source.close()
    assert engine.depth(queue, Kind.EXECUTABLE) == 0
    assert worker().take(None, (), 0.3) is None


def test_depth_counts_all_priorities(engine: CeleryEngine, queue: str) -> None:
    assert engine.depth(queue, Kind.DOCKER) == 0
    for priority in range(10):
        engine.publish(a_ticket(queue, priority=priority, kind=Kind.DOCKER))
    assert engine.depth(queue, Kind.DOCKER) == 10
    assert engine.depth(queue, Kind.EXECUTABLE) == 0


def test_a_taker_that_gives_up_leaves_nothing_behind(engine: CeleryEngine, worker: Any, queue: str) -> None:
    source = worker()
    assert source.take(None, (), 0.2) is None
    ticket = a_ticket(queue)
    engine.publish(ticket)
    assert engine.depth(queue, Kind.EXECUTABLE) == 1
    assert worker().take(None, (), 10) == ticket


def test_a_close_wakes_all_who_wait(worker: Any) -> None:
    source = worker()
    slots = [Slot(source) for _ in range(5)]
    assert source.take(None, (), 0.1) is None
    source.close()
    assert [slot.get() for slot in slots] == [None] * 5
    assert source.take(None, (), None) is None


def test_a_close_leaves_what_nobody_took(engine: CeleryEngine, worker: Any, queue: str) -> None:
    source = worker()
    slot = Slot(source)
    tickets = [a_ticket(queue) for _ in range(5)]
    for ticket in tickets:
        engine.publish(ticket)
    assert slot.get() == tickets[0]
    late = Slot(source)
    source.close()
    assert late.get() in (None, tickets[1])
    left = tickets[1:] if late.ticket is None else tickets[2:]
    other = worker()
    assert [other.take(None, (), 10) for _ in left] == left


def test_what_is_given_back_comes_again(engine: CeleryEngine, worker: Any, queue: str) -> None:
    source = worker()
    ticket = a_ticket(queue, priority=HIGHEST)
    engine.publish(ticket)
    assert source.take(None, (), 10) == ticket
    source.give_back(ticket)
    assert engine.depth(queue, Kind.EXECUTABLE) == 1
    assert worker().take(None, (), 10) == ticket
    source.close()
    source.give_back(ticket)  # a worker that stops may do this
    assert worker().take(None, (), 10) == ticket


def test_a_purged_queue_is_empty_and_goes_on(engine: CeleryEngine, worker: Any, queue: str, channel: Channel) -> None:
    for _ in range(3):
        engine.publish(a_ticket(queue))
    assert channel.purge(queue) == 3
    assert engine.depth(queue, Kind.EXECUTABLE) == 0
    ticket = a_ticket(queue)
    engine.publish(ticket)
    assert worker().take(None, (), 10) == ticket


def test_a_queue_that_is_deleted_is_made_again(engine: CeleryEngine, worker: Any, queue: str, channel: Channel) -> None:
    engine.publish(a_ticket(queue))
    channel.delete(queue)
    ticket = a_ticket(queue)
    engine.publish(ticket)
    assert engine.depth(queue, Kind.EXECUTABLE) == 1
    source = worker()
    assert source.take(None, (), 10) == ticket
    slot = Slot(source)
    channel.delete(queue)
    engine.publish(ticket)
    assert slot.get() == ticket


def test_they_outlive_the_broker(engine: CeleryEngine, worker: Any, queue: str, broker: Service) -> None:
    ticket = a_ticket(queue)
    engine.publish(ticket)
    broker.settle()
    broker.kill()
    broker.start()
    assert worker().take(None, (), 10) == ticket
