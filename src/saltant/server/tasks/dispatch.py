"""Hands instances to the engine that this server runs with."""

import logging
from collections.abc import Sequence

from django.db.models import Q
from django.utils import timezone

from saltant.engine import Engine, EngineUnavailable
from saltant.engine.embedded import EmbeddedEngine
from saltant.jobs import Attempt, Kind, Ticket
from saltant.server.tasks import changes
from saltant.server.tasks.courier import Courier
from saltant.server.tasks.models import TaskInstance
from saltant.states import WAITING, State

log = logging.getLogger("saltant.dispatch")

AT_ONCE = 2000
"""How many tickets are sent in one go where somebody waits, or others have to be done as well."""
COLUMNS = ("pk", "uuid", "attempt", "kind", "priority", "state", "task_queue__lane")
"""What a ticket is made from."""

_engine: Engine | None = None
_courier: Courier | None = None


def use(engine: Engine | None) -> None:
    """Set the engine of this process. One that may fail is served by a thread of its own, so that nobody waits."""
    global _engine, _courier
    if _courier is not None:
        _courier.close()
    _engine = engine
    _courier = None if engine is None or engine.is_lossless else Courier(engine)


def engine() -> Engine:
    """The engine of this process.

    Raises:
        EngineUnavailable: none was set.
    """
    if _engine is None:
        raise EngineUnavailable("This process has no engine.")
    return _engine


def birth_state() -> State:
    """The state in which an instance is stored: one that commits into a lossless engine is published by that alone."""
    return State.PUBLISHED if _engine is not None and _engine.is_lossless else State.CREATED


def reserve(instance: TaskInstance, lane: str) -> EmbeddedEngine | None:
    """The engine of this process, if it has reserved a taker who waits for just such an instance.

    Only executables: an engine of containers may go away before the taker has looked.
    """
    engine = _engine
    if isinstance(engine, EmbeddedEngine) and instance.kind == Kind.EXECUTABLE:
        return engine if engine.reserve(lane, Kind.EXECUTABLE) else None
    return None


def publish(instance: TaskInstance, lane: str, stored: State) -> bool:
    """Send the ticket of an instance that waits, `stored` as created or published, on the lane of its queue.

    Returns False if the engine could not take it: then the sweeper tries again.
    """
    attempt = Attempt(instance.uuid, instance.attempt)
    ticket = Ticket(attempt, lane, Kind(instance.kind), instance.priority)
    if _courier is not None:
        return _courier.publish(instance.pk, ticket)
    try:
        engine().publish(ticket)
    except EngineUnavailable as error:
        log.warning("%s stays %s: %s", instance.uuid, stored, error)
        return False
    if stored is State.CREATED:
        # A worker may have claimed it already: then this changes nothing.
        created = TaskInstance.objects.filter(pk=instance.pk, state=State.CREATED)
        if created.update(state=State.PUBLISHED, datetime_changed=timezone.now()):
            changes.tell(instance.uuid)
    return True


def publish_many(instances: Sequence[TaskInstance], stored: State) -> None:
    """Send the tickets of instances that wait, first in line first, until the engine takes no more.

    The sweeper sends the others.
    """
    for instance in sorted(instances, key=lambda each: -each.priority):
        if not publish(instance, instance.task_queue.lane, stored):
            return


def publish_waiting(limit: int | None = None, *conditions: Q, **filters: object) -> int:
    """Send the tickets of waiting instances that match, first in line first; returns how many were sent."""
    waiting = TaskInstance.objects.filter(
        *conditions,
        state__in=WAITING,
        start_after=None,
        held_back=False,
        waits_for=0,
        task_queue__paused=False,
        **filters,
    )
    sent = 0
    # Whoever is free takes the first at once: it must be the first in line.
    for instance in waiting.order_by("-priority", "id").select_related("task_queue").only(*COLUMNS)[:limit].iterator():
        if not publish(instance, instance.task_queue.lane, State(instance.state)):
            break
        sent += 1
    return sent


def sends_again() -> bool:
    """Whether the sweeper sends what was not sent at once; with a lossless engine there is nobody who does."""
    return _courier is not None


def at_once() -> int | None:
    """How many tickets may be sent while somebody waits: all to a lossless engine, else as many as pay off.

    The sweeper finds the others.
    """
    return None if _courier is None else AT_ONCE


def cancel(instance: TaskInstance) -> None:
    """Hurry a cancel on its way. Heartbeats bring it too, so a lost hint costs only time."""
    if _courier is not None:
        _courier.cancel(instance.uuid)
        return
    try:
        engine().cancel(instance.uuid)
    except EngineUnavailable as error:
        log.warning("The cancel of %s comes with the next heartbeat: %s", instance.uuid, error)
