"""Hands instances to the engine that this server runs with."""

import logging

from saltant.engine import Engine, EngineUnavailable
from saltant.jobs import Attempt, Kind, Ticket
from saltant.server.tasks.models import TaskInstance
from saltant.states import WAITING, State

log = logging.getLogger("saltant.dispatch")

_engine: Engine | None = None


def use(engine: Engine | None) -> None:
    """Set the engine of this process."""
    global _engine
    _engine = engine


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


def publish(instance: TaskInstance, queue: str, stored: State) -> bool:
    """Send the ticket of an instance that waits, `stored` as created or published.

    Returns False if the engine could not take it: then the sweeper tries again.
    """
    ticket = Ticket(Attempt(instance.uuid, instance.attempt), queue, Kind(instance.kind))
    try:
        engine().publish(ticket)
    except EngineUnavailable as error:
        log.warning("%s stays %s: %s", instance.uuid, stored, error)
        return False
    if stored is State.CREATED:
        # A worker may have claimed it already: then this changes nothing.
        TaskInstance.objects.filter(pk=instance.pk, state=State.CREATED).update(state=State.PUBLISHED)
    return True


def publish_waiting(**filters: object) -> int:
    """Send the tickets of all waiting instances that match, oldest first; returns how many were sent."""
    waiting = TaskInstance.objects.filter(state__in=WAITING, start_after=None, task_queue__paused=False, **filters)
    columns = ("pk", "uuid", "attempt", "kind", "state", "task_queue__name")
    sent = 0
    for instance in waiting.order_by("id").select_related("task_queue").only(*columns).iterator():
        if not publish(instance, instance.task_queue.name, State(instance.state)):
            break
        sent += 1
    return sent


def cancel(instance: TaskInstance) -> None:
    """Hurry a cancel on its way. Heartbeats bring it too, so a lost hint costs only time."""
    try:
        engine().cancel(instance.uuid)
    except EngineUnavailable as error:
        log.warning("The cancel of %s comes with the next heartbeat: %s", instance.uuid, error)
