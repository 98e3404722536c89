"""How people end instances, or report states of what they run themselves."""

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from saltant.reasons import Reason
from saltant.server.accounts.models import User
from saltant.server.audit.log import record
from saltant.server.audit.models import Action
from saltant.server.tasks import changes, dispatch
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.states import WAITING, State


class Conflict(Exception):
    """A state was asked for that cannot follow the current one."""

    def __init__(self, current: State, message: str) -> None:
        super().__init__(message)
        self.current = current
        self.message = message


def terminate(*, instance: TaskInstance, user: User) -> None:
    """Have an instance ended; one that has ended stays as it is.

    One that waits is terminated at once. One that runs under a lease keeps its state until its worker has confirmed
    that nothing of it is alive, or its lease is over.
    """
    now = timezone.now()
    request = {"datetime_cancelled": now, "cancelled_by": user.username}
    end = {
        "state": State.TERMINATED,
        "datetime_finished": now,
        "datetime_changed": now,
        "reason": Reason.CANCELLED,
        "message": f"Terminated by {user.username}.",
    }
    mine = TaskInstance.objects.filter(pk=instance.pk)
    with transaction.atomic():
        # Locked, so that no new attempt begins between two of these looks.
        mine.select_for_update().get()
        ended = mine.filter(state__in=WAITING).update(**request, **end) or _unleased(mine).update(**request, **end)
        # The first request stands: who asked is part of the truth.
        if ended or mine.filter(state=State.RUNNING, datetime_cancelled=None).update(**request):
            record(user, Action.TERMINATE, instance)
        if ended:
            changes.tell(instance.uuid, ended=True)
    if not ended:
        dispatch.cancel(instance)


def report(*, instance: TaskInstance, state: State, user: User) -> State:
    """Move an instance to `state` for somebody who is not the holder of its lease; returns the state it is in then.

    To `terminated` it is a terminate. While an attempt holds a lease, only its worker reports.

    Raises:
        Conflict: `state` cannot follow the current one, or a worker holds the instance.
    """
    if state is State.TERMINATED:
        terminate(instance=instance, user=user)
        return _current(instance)
    mine = TaskInstance.objects.filter(pk=instance.pk)
    before = [each for each in State if each.can_become(state)]
    now = timezone.now()
    change: dict[str, object] = {"state": state, "datetime_changed": now}
    if state.is_finished:
        change |= {
            "datetime_finished": now,
            "reason": Reason.REPORTED,
            "message": f"Reported {state} by {user.username}.",
        }
    waiting = mine.filter(state__in=[each for each in before if each in WAITING])
    with transaction.atomic():
        if waiting.update(**change) or (State.RUNNING in before and _unleased(mine).update(**change)):
            record(user, Action.REPORT, instance, {"state": state})
            changes.tell(instance.uuid, ended=state.is_finished)
            return state
    current = _current(instance)
    if current is state:
        return state
    if current is State.RUNNING and is_leased(instance):
        raise Conflict(current, "A worker runs this instance: only that worker reports its state. Terminate ends it.")
    raise Conflict(current, f"An instance that is {current} cannot become {state}.")


def is_leased(instance: TaskInstance) -> bool:
    """Whether a worker holds the instance now."""
    return TaskAttempt.objects.filter(instance=instance.pk, lease_expires__isnull=False).exists()


def _unleased(instances: QuerySet[TaskInstance]) -> QuerySet[TaskInstance]:
    leases = TaskAttempt.objects.filter(instance=OuterRef("pk"), lease_expires__isnull=False)
    return instances.filter(~Exists(leases), state=State.RUNNING)


def _current(instance: TaskInstance) -> State:
    return State(TaskInstance.objects.values_list("state", flat=True).get(pk=instance.pk))
