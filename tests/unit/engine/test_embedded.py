from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Thread
from uuid import UUID, uuid4

from saltant.engine.embedded import EmbeddedEngine
from saltant.jobs import Attempt, Job, Kind, Ticket
from tests.brokers.rig import wait_for

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


def job_of(one: Ticket) -> Job:
    return Job(one.attempt, one.kind, "/bin/true", {})


@contextmanager
def takers(engine: EmbeddedEngine, count: int, queues: list[str] | None = None) -> Iterator[list[Ticket | None]]:
    """So many who wait for a ticket each, and what they were given. They are woken at the end."""
    taken: list[Ticket | None] = []
    threads = [Thread(target=lambda: taken.append(engine.take(queues, ALL))) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(engine._waiting) == count)
        yield taken
    finally:
        engine.close()
        for thread in threads:
            thread.join(30)


def test_only_a_taker_who_waits_for_it_can_be_reserved() -> None:
    engine = EmbeddedEngine("w")
    assert not engine.reserve("a", Kind.EXECUTABLE)
    with takers(engine, 2, ["a"]):
        assert not engine.reserve("b", Kind.EXECUTABLE)
        assert [engine.reserve("a", Kind.EXECUTABLE) for _ in range(3)] == [True, True, False]
        engine.release()
        assert engine.reserve("a", Kind.EXECUTABLE)
    assert not engine.reserve("a", Kind.EXECUTABLE)


def test_nobody_is_reserved_where_it_is_not_known_who_claims() -> None:
    engine = EmbeddedEngine()
    with takers(engine, 1):
        assert not engine.reserve("a", Kind.EXECUTABLE)


def test_a_reserved_taker_gets_its_ticket_and_no_other() -> None:
    engine, other, mine = EmbeddedEngine("w"), ticket(), ticket()
    with takers(engine, 1) as taken:
        assert engine.reserve("a", Kind.EXECUTABLE)
        engine.publish(other)
        assert engine.hand(mine, job_of(mine))
        wait_for(lambda: taken)
        assert taken == [replace(mine, is_claimed=True)]
        assert engine.job_of(mine.attempt) == job_of(mine)
        assert engine.job_of(mine.attempt) is None
        assert engine.take(None, ALL, 0) == other


def test_a_released_taker_takes_what_came_meanwhile() -> None:
    engine, other = EmbeddedEngine("w"), ticket()
    with takers(engine, 1) as taken:
        assert engine.reserve("a", Kind.EXECUTABLE)
        engine.publish(other)
        engine.release()
        wait_for(lambda: taken)
        assert taken == [other]


def test_a_claimed_ticket_is_for_who_waits_and_not_for_who_looks() -> None:
    engine, mine = EmbeddedEngine("w"), ticket()
    with takers(engine, 1) as taken:
        assert engine.reserve("a", Kind.EXECUTABLE)
        with engine._changed:  # nobody else is woken before this look
            engine.hand(mine, job_of(mine))
            assert engine.take(None, ALL, 0) is None
        wait_for(lambda: taken)


def test_a_claimed_ticket_is_given_out_though_a_close_follows_and_refused_after_it() -> None:
    engine, first, second = EmbeddedEngine("w"), ticket(), ticket()
    with takers(engine, 2) as taken:
        assert engine.reserve("a", Kind.EXECUTABLE)
        assert engine.reserve("a", Kind.EXECUTABLE)
        with engine._changed:
            assert engine.hand(first, job_of(first))
            engine.close()
        assert not engine.hand(second, job_of(second))
    assert sorted(taken, key=bool) == [None, replace(first, is_claimed=True)]
    assert engine.job_of(second.attempt) is None


def test_a_cancel_before_the_job_is_taken_is_said_again_when_it_is() -> None:
    engine, mine, heard = EmbeddedEngine("w"), ticket(), list[UUID]()
    engine.on_cancel = heard.append
    with takers(engine, 1):
        assert engine.reserve("a", Kind.EXECUTABLE)
        assert engine.hand(mine, job_of(mine))
        engine.cancel(mine.attempt.uuid)
        assert engine.job_of(mine.attempt) is not None
    assert heard == [mine.attempt.uuid] * 2


def test_a_ticket_wakes_one_of_the_takers_that_want_the_same() -> None:
    engine, looks = EmbeddedEngine("w"), list[object]()
    with takers(engine, 3) as taken:
        has_for = engine._has_for
        engine._has_for = lambda *wanted: looks.append(wanted) or has_for(*wanted)  # type: ignore[func-returns-value, method-assign]
        engine.publish(ticket())
        wait_for(lambda: taken)
        assert len(looks) == 1


def test_a_ticket_reaches_the_taker_that_wants_it_whoever_waited_first() -> None:
    engine, mine = EmbeddedEngine("w"), ticket("b")
    with takers(engine, 1, ["a"]) as others:
        taken: list[Ticket | None] = []
        taker = Thread(target=lambda: taken.append(engine.take(["b"], ALL)))
        taker.start()
        wait_for(lambda: len(engine._waiting) == 2)
        engine.publish(mine)
        taker.join(30)
        assert (taken, others) == ([mine], [])


def test_no_ticket_waits_while_a_taker_does() -> None:
    engine, taken, count = EmbeddedEngine("w"), list[Ticket](), 4

    def take() -> None:
        while (one := engine.take(None, ALL)) is not None:
            taken.append(one)

    def make(turn: int) -> None:
        one = ticket()
        is_reserved = turn % 3 > 0 and engine.reserve("a", Kind.EXECUTABLE)
        if is_reserved and turn % 3 == 1:
            assert engine.hand(one, job_of(one))
            return
        engine.publish(one)
        if is_reserved:
            engine.release()

    def has(tickets: int) -> bool:
        return len(taken) == tickets

    threads = [Thread(target=take, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        made = 0
        for turn in range(300):
            wait_for(lambda: len(engine._waiting) == count)
            burst = [Thread(target=make, args=[turn + number]) for number in range(1 + turn % count)]
            made += len(burst)
            for thread in burst:
                thread.start()
            for thread in burst:
                thread.join(30)
            # Nothing else wakes anybody: who was not woken by these sleeps on.
            wait_for(partial(has, made))
    finally:
        engine.close()
    for thread in threads:
        thread.join(30)
