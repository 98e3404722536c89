"""How people end instances, or report states of what they run themselves."""

from collections.abc import Callable, Sequence
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from saltant.reasons import Reason
from saltant.server.accounts.models import User
from saltant.server.audit.log import record, record_many
from saltant.server.audit.models import Action
from saltant.server.tasks import changes, dispatch
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.server.tasks.parts import parts
from saltant.server.tasks.services.dependents import settle
from saltant.states import UNFINISHED, WAITING, State


class Miscounted(Exception):
    """More, or fewer, were to be ended than was expected.

    Attributes:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


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
    terminate_many(instances=[instance], user=user)


def terminate_many(*, instances: Sequence[TaskInstance], user: User) -> None:
    """Have several instances ended, in one transaction."""
    with transaction.atomic():
        for instance in _ask(instances, user):
            transaction.on_commit(partial(dispatch.cancel, instance))


def terminate_matching(
    *, instances: "QuerySet[TaskInstance]", expected: int, user: User, check: Callable[[TaskInstance], None]
) -> list[TaskInstance]:
    """Have those of `instances` ended that have not ended, all or none; returns them, the oldest first.

    Args:
        expected: how many they must be at that moment.
        check: raises if `user` may not end an instance.

    Raises:
        Miscounted: they are more, or fewer.
    """
    unfinished = instances.filter(state__in=UNFINISHED).order_by("pk")
    # Before any lock: a typo must hold up nobody.
    count = unfinished.count()
    if count != expected:
        raise Miscounted(count)
    leased: list[TaskInstance] = []
    found: list[TaskInstance] = []
    with transaction.atomic():
        every = TaskInstance.objects.filter(pk__in=unfinished.order_by().values("pk")).order_by("pk")
        locked = list(every.select_for_update().values_list("pk", flat=True)[: expected + 1])
        for some in parts(locked):
            # Looked at anew: some may have ended, or changed, before they were locked. From now on nothing changes.
            each = unfinished.filter(pk__in=some).only("uuid", "user", "name", "task_queue")
            found += each.prefetch_related("task_queue")
        if len(found) != expected or len(locked) != expected:
            raise Miscounted(unfinished.count())
        for instance in found:
            check(instance)
        for few in parts(found):
            leased += _ask(few, user)
    for instance in leased:
        dispatch.cancel(instance)
    return found


def _ask(instances: Sequence[TaskInstance], user: User) -> list[TaskInstance]:
    """End what can be ended at once, and ask the workers of the others; returns these."""
    now = timezone.now()
    request = {"datetime_cancelled": now, "cancelled_by": user.username}
    end = {
        "state": State.TERMINATED,
        "datetime_finished": now,
        "datetime_changed": now,
        "reason": Reason.CANCELLED,
        "message": f"Terminated by {user.username}.",
        "held_back": False,
    }
    every = {instance.pk: instance for instance in instances}
    mine = TaskInstance.objects.filter(pk__in=every)
    with transaction.atomic():
        # Locked, so that no new attempt begins between two of these looks; in one order, as all do who lock several.
        columns = ("pk", "state", "datetime_cancelled", "has_dependents")
        locked = list(mine.select_for_update().order_by("pk").values_list(*columns))
        found = {pk: (state, cancelled) for pk, state, cancelled, _ in locked}
        running = {pk for pk, (state, _) in found.items() if state == State.RUNNING}
        leased = set(_leases().filter(instance__in=running).values_list("instance", flat=True)) if running else set()
        ended = [pk for pk, (state, _) in found.items() if state in WAITING or pk in running - leased]
        # The first request stands: who asked is part of the truth.
        asked = [pk for pk in found if pk in leased and found[pk][1] is None]
        if ended:
            mine.filter(pk__in=ended).update(**request, **end)
        if asked:
            mine.filter(pk__in=asked).update(**request)
        record_many(user, Action.TERMINATE, [every[pk] for pk in sorted([*ended, *asked])])
        changes.tell(*(every[pk].uuid for pk in ended), ended=True)
        over = frozenset(ended)
        settle([pk for pk, *_, has_dependents in locked if has_dependents and pk in over], now)
    return [every[pk] for pk in sorted(leased)]


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
            "held_back": False,
        }
    waiting = mine.filter(state__in=[each for each in before if each in WAITING])
    with transaction.atomic():
        if waiting.update(**change) or (State.RUNNING in before and _unleased(mine).update(**change)):
            record(user, Action.REPORT, instance, {"state": state})
            changes.tell(instance.uuid, ended=state.is_finished)
            if state.is_finished:
                settle(mine.filter(has_dependents=True).values_list("pk", flat=True), now)
            return state
    current = _current(instance)
    if current is state:
        return state
    if current is State.RUNNING and is_leased(instance):
        raise Conflict(current, "A worker runs this instance: only that worker reports its state. Terminate ends it.")
    raise Conflict(current, f"An instance that is {current} cannot become {state}.")


def is_leased(instance: TaskInstance) -> bool:
    """Whether a worker holds the instance now."""
    return _leases().filter(instance=instance.pk).exists()


def _leases() -> QuerySet[TaskAttempt]:
    return TaskAttempt.objects.filter(lease_expires__isnull=False)


def _unleased(instances: QuerySet[TaskInstance]) -> QuerySet[TaskInstance]:
    return instances.filter(~Exists(_leases().filter(instance=OuterRef("pk"))), state=State.RUNNING)


def _current(instance: TaskInstance) -> State:
    return State(TaskInstance.objects.values_list("state", flat=True).get(pk=instance.pk))
