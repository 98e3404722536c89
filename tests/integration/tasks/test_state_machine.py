"""Any order of submit, claim, report, lose, terminate, edit and pause: no state outside the graph, no end missing."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from saltant.jobs import Attempt, End, Ticket
from saltant.reasons import Reason
from saltant.server.tasks import dispatch, services
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.server.tasks.services import recovery
from saltant.states import State
from tests.integration.tasks.conftest import Lab

WORKERS = st.sampled_from(["w1", "w2"])
ENDS = st.sampled_from(
    [
        End(Reason.EXITED, exit_code=0),
        End(Reason.EXITED, exit_code=1),
        End(Reason.KILLED, signal=9),
        End(Reason.CANCELLED),
        End(Reason.SERVER_STOPPED),
        End(Reason.COMMAND_NOT_FOUND),
    ]
)


class Life(RuleBasedStateMachine):
    """A lab whose people, workers and clocks do anything at any time."""

    lab: Lab
    instances = Bundle("instances")
    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        TaskAttempt.objects.all().delete()
        TaskInstance.objects.all().delete()
        services.set_paused(self.lab.queue, False)
        while self.lab.ticket():
            pass
        self.seen: dict[UUID, list[State]] = {}
        self.started: dict[Attempt, str] = {}

    @rule(
        target=instances,
        max_attempts=st.integers(1, 3),
        retry_on=st.sampled_from(["lost", "failed"]),
        queue_timeout=st.sampled_from([None, 60.0]),
    )
    def submit(self, **limits: Any) -> UUID:
        instance = services.submit(
            user=self.lab.user, task_type=self.lab.task_type, task_queue=self.lab.queue, limits=limits
        )
        self.seen[instance.uuid] = [State.CREATED]
        return instance.uuid

    @rule(target=tickets)
    def take(self) -> Any:
        ticket = self.lab.ticket()
        return multiple() if ticket is None else ticket

    @rule(ticket=tickets, worker=WORKERS)
    def claim(self, ticket: Ticket, worker: str) -> None:
        """Tickets may come twice: one worker gets an attempt, ever."""
        if services.claim(ticket, worker) is not None:
            assert self.started.setdefault(ticket.attempt, worker) == worker

    @rule(ticket=consumes(tickets))
    def lose_ticket(self, ticket: Ticket) -> None:
        """It is as if it had never come: a restart sends it again."""

    @rule(uuid=instances, number=st.integers(1, 3), worker=WORKERS, end=ENDS)
    def finish(self, uuid: UUID, number: int, worker: str, end: End) -> None:
        services.finish(Attempt(uuid, number), worker, end)

    @rule(uuid=instances, worker=WORKERS)
    def heartbeat(self, uuid: UUID, worker: str) -> None:
        services.heartbeat(worker, {Attempt(uuid, number): None for number in (1, 2, 3)})

    @rule(uuid=instances)
    def terminate(self, uuid: UUID) -> None:
        services.terminate(instance=TaskInstance.objects.get(uuid=uuid), user=self.lab.user)

    @rule(uuid=instances, state=st.sampled_from(State))
    def report(self, uuid: UUID, state: State) -> None:
        instance = TaskInstance.objects.get(uuid=uuid)
        told: State | None = None
        try:
            services.report(instance=instance, state=state, user=self.lab.user)
        except services.Conflict as conflict:
            told = conflict.current
        assert told in (None, State(instance.state))

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        services.set_paused(self.lab.queue, paused)

    @rule(command=st.sampled_from(["/bin/a", "/bin/b"]))
    def edit(self, command: str) -> None:
        services.update_type(self.lab.task_type, {"command_to_run": command}, self.lab.user)

    @rule()
    def expire(self) -> None:
        recovery.expire_leases(timezone.now() + timedelta(days=1))

    @rule()
    def time_passes(self) -> None:
        later = timezone.now() + timedelta(days=1)
        recovery.publish_due(later)
        recovery.fail_unclaimed(later)

    @rule()
    def restart(self) -> None:
        services.recover()
        dispatch.publish_waiting()

    @invariant()
    def states_follow_the_graph(self) -> None:
        for instance in TaskInstance.objects.all():
            state, states = State(instance.state), self.seen[instance.uuid]
            if states[-1] is not state:
                states.append(state)
            for before, after in pairwise(states):
                retried = (before, after) == (State.RUNNING, State.PUBLISHED)
                # Two steps may lie between two looks.
                through = any(before.can_become(middle) and middle.can_become(after) for middle in State)
                assert retried or before.can_become(after) or through, states
            assert (instance.datetime_finished is not None) == state.is_finished
            assert bool(instance.reason) == state.is_finished
            leases = instance.attempts.filter(lease_expires__isnull=False)
            assert leases.count() <= (1 if state is State.RUNNING else 0)

    def teardown(self) -> None:
        """Let everything that still lives come to its end: nothing is without one."""
        services.set_paused(self.lab.queue, False)
        for _ in range(5):
            self.restart()
            self.time_passes()
            while ticket := self.lab.ticket():
                if services.claim(ticket, "w1"):
                    services.finish(ticket.attempt, "w1", End(Reason.EXITED, exit_code=0))
        for instance in TaskInstance.objects.exclude(state__in=[state for state in State if state.is_finished]):
            # Taken out of the queue by a report: by contract a report alone ends it.
            assert instance.state == State.RUNNING
            assert not instance.attempts.filter(lease_expires__isnull=False).exists()
            services.report(instance=instance, state=State.SUCCESSFUL, user=self.lab.user)


@pytest.fixture
def quick_database(lab: Lab) -> Iterator[Lab]:
    """The lab, without waiting for the disk: thousands of small transactions follow."""
    if connection.vendor != "sqlite":  # the tests' PostgreSQL never waits for it
        yield lab
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
    yield lab
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=FULL")


@pytest.mark.timeout(300)
def test_any_order_of_events_leads_to_an_end(quick_database: Lab) -> None:
    class LifeInLab(Life):
        lab = quick_database

    few = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(LifeInLab, settings=few)
