from threading import Thread
from uuid import uuid4

from saltant.engine.embedded import EmbeddedEngine
from saltant.jobs import Attempt, Kind, Ticket

ALL = list(Kind)


def ticket(queue: str = "a", kind: Kind = Kind.EXECUTABLE) -> Ticket:
    return Ticket(Attempt(uuid4(), 1), queue, kind)


def test_tickets_come_oldest_first_across_queues() -> None:
    engine = EmbeddedEngine()
    sent = [ticket("a"), ticket("b"), ticket("a", Kind.DOCKER), ticket("a")]
    for each in sent:
        engine.publish(each)
    assert [engine.take(None, ALL, 0) for _ in sent] == sent
    assert engine.take(None, ALL, 0) is None


def test_a_taker_gets_only_what_it_serves() -> None:
    engine = EmbeddedEngine()
    other, docker, mine = ticket("other"), ticket("a", Kind.DOCKER), ticket("a")
    for each in (other, docker, mine):
        engine.publish(each)
    assert engine.take(["a"], [Kind.EXECUTABLE], 0) == mine
    assert engine.take(["a"], [Kind.EXECUTABLE], 0) is None
    assert engine.take(None, ALL, 0) == other


def test_a_ticket_that_waits_is_not_queued_twice() -> None:
    engine, one = EmbeddedEngine(), ticket()
    engine.publish(one)
    engine.publish(one)
    assert engine.take(None, ALL, 0) == one
    assert engine.take(None, ALL, 0) is None
    engine.publish(one)
    assert engine.take(None, ALL, 0) == one


def test_a_taker_that_waits_is_woken_by_a_ticket_and_by_a_close() -> None:
    engine, one = EmbeddedEngine(), ticket()
    taken: list[Ticket | None] = []

    def take_twice() -> None:
        taken.append(engine.take(None, ALL))
        taken.append(engine.take(None, ALL))

    taker = Thread(target=take_twice)
    taker.start()
    engine.publish(one)
    engine.close()
    taker.join(30)
    # The close may come before the first take: then the ticket stays, for the next start.
    assert taken in ([one, None], [None, None])


def test_a_ticket_given_back_comes_after_the_others() -> None:
    engine, first, second = EmbeddedEngine(), ticket(), ticket()
    engine.publish(first)
    engine.publish(second)
    taken = engine.take(None, ALL, 0)
    assert taken == first
    engine.give_back(first)
    assert [engine.take(None, ALL, 0) for _ in range(3)] == [second, first, None]
