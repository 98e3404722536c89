"""Ends, and instances that wait for them, at the same moment: each on a connection of its own."""

import pytest
from django.db import connection, transaction

from saltant.jobs import Attempt, End
from saltant.reasons import Reason
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance
from saltant.states import State
from tests.integration.tasks.conftest import Lab
from tests.integration.tasks.test_after import FAILURE, SUCCESS, fresh, make, pending, ticket_of
from tests.integration.test_postgresql import at_once

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone does two things at once")
ROUNDS = 25


def running(lab: Lab, count: int) -> list[TaskInstance]:
    """Instances that a worker runs."""
    instances = [lab.submit() for _ in range(count)]
    assert None not in services.claim_many([ticket_of(lab, each) for each in instances], "w1")
    pending(lab)
    return instances


def end(instances: list[TaskInstance], how: End = SUCCESS) -> list[bool]:
    return services.finish_many([(Attempt(each.uuid, 1), how) for each in instances], "w1")


@pytest.mark.parametrize("how", [SUCCESS, FAILURE])
def test_an_end_and_one_who_begins_to_wait(lab: Lab, how: End) -> None:
    for _ in range(ROUNDS):
        [other] = running(lab, 1)
        _, last = at_once(lambda: end([other], how), lambda: make(lab, other))  # noqa: B023 - done before the next
        last = fresh(last)
        if how is SUCCESS:
            assert (last.state, last.waits_for) == (State.PUBLISHED, 0)
            assert pending(lab) == [last.uuid]
        else:
            assert (last.state, last.reason) == (State.FAILED, Reason.DEPENDENCY_FAILED)


def test_the_last_two_ends(lab: Lab) -> None:
    for _ in range(ROUNDS):
        first, second = running(lab, 2)
        last = make(lab, first, second)
        at_once(lambda: end([first]), lambda: end([second]))  # noqa: B023
        assert fresh(last).state == State.PUBLISHED
        assert pending(lab) == [last.uuid]


def test_a_termination_and_ends_and_one_who_begins_to_wait(lab: Lab) -> None:
    """Nobody holds up another for good, in whichever order they lock."""
    for _ in range(ROUNDS):
        others = running(lab, 4)
        last = make(lab, *others)
        *told, further = at_once(
            lambda: end(others[::-1]),  # noqa: B023
            lambda: make(lab, last),  # noqa: B023
            lambda: make(lab, *others, last),  # noqa: B023
        )
        assert told[0] == [True] * 4
        assert all(isinstance(each, TaskInstance) for each in (told[1], further))
        assert fresh(last).state == State.PUBLISHED
        services.terminate(instance=last, user=lab.user)
        assert {fresh(each).reason for each in (told[1], further)} == {Reason.DEPENDENCY_FAILED}
        pending(lab)


def test_a_chain_that_ends_while_it_grows(lab: Lab) -> None:
    for _ in range(ROUNDS):
        [other] = running(lab, 1)
        middle = make(lab, make(lab, other))
        _, last = at_once(lambda: end([other], FAILURE), lambda: make(lab, middle))  # noqa: B023
        assert fresh(last).reason == Reason.DEPENDENCY_FAILED


def test_an_end_and_a_termination_of_items_that_name_later_ones(lab: Lab) -> None:
    """Whoever ends an instance locks what waits for it next: that is saved after it, so all lock in one order."""
    for _ in range(ROUNDS):
        batch = services.Batch(lab.user)
        after: list[list[services.After]] = [[services.After(1)], [services.After(2)], []]
        items = [batch.add(task_type=lab.task_type, task_queue=lab.queue, after=each) for each in after]
        assert not batch.check_after(dict(enumerate(items)), 3)
        with transaction.atomic():
            batch.save()
        assert None not in services.claim_many([ticket_of(lab, items[2])], "w1")
        told = at_once(
            lambda: end(items[2:], FAILURE),  # noqa: B023
            lambda: services.terminate_many(instances=items, user=lab.user),  # noqa: B023
        )
        assert told in ([[True], None], [[False], None])
        assert all(State(fresh(each).state).is_finished for each in items[:2])
        pending(lab)
