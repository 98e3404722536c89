"""How instances come to start after others.

Whoever makes such an instance locks what it waits for, and whoever ends an instance has locked that one: so either the
end sees that somebody waits for it, or who waits sees the end.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from saltant.server.accounts.models import User
from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.models import Condition, TaskDependency, TaskInstance
from saltant.server.tasks.parts import parts
from saltant.server.tasks.services.dependents import settle
from saltant.states import State

MOST = 1000
"""Instances that one may wait for."""


@dataclass(frozen=True, slots=True)
class After:
    """That an instance is to start after another one.

    Attributes:
        on: that one's UUID, or its index among the items of the same request.
    """

    on: UUID | int
    condition: Condition = Condition.SUCCESS


Wanted = Sequence[After]


def flaws(user: User, uuids: Collection[UUID]) -> dict[UUID, str]:
    """Why `user` may not have instances wait for those of `uuids` for which that is so."""
    found: dict[UUID, str | None] = {}
    for some in parts(list(uuids)):
        rows = TaskInstance.objects.filter(uuid__in=some).order_by()
        for uuid, owner, private, queue_owner in rows.values_list(
            "uuid", "user_id", "task_queue__private", "task_queue__user_id"
        ):
            closed = private and not user.is_admin and user.pk not in (owner, queue_owner)
            found[uuid] = f"You may not wait for {uuid}: it is on a private queue of somebody else." if closed else None
    every = {uuid: found.get(uuid, f"There is no task instance with the UUID {uuid}.") for uuid in uuids}
    return {uuid: flaw for uuid, flaw in every.items() if flaw is not None}


def check_after(user: User, wanted: Wanted) -> None:
    """Refuse what `user` may not have an instance wait for.

    Raises:
        Refused: one does not exist, or is none of their business, or is an item where there are none.
    """
    wrong = [f"There is no item {each.on}: only many/ has items." for each in wanted if isinstance(each.on, int)]
    wrong += flaws(user, [each.on for each in wanted if isinstance(each.on, UUID)]).values()
    if wrong:
        raise Refused({"after": wrong[:10]})


class Links:
    """What instances that are about to be saved wait for. Use it in the transaction that saves them.

    Args:
        wanted: for each such instance what it waits for.
        items: the instances that these name by their indexes.

    Raises:
        Refused: one of those that they wait for is gone.
    """

    def __init__(self, wanted: Sequence[tuple[TaskInstance, Wanted]], items: Mapping[int, TaskInstance]) -> None:
        self._wanted = wanted
        self._items = items
        self._held = _hold({each.on for _, after in wanted for each in after if isinstance(each.on, UUID)})
        for instance, after in wanted:
            instance.waits_for = sum(not self._is_satisfied(each) for each in after)
            if instance.waits_for:
                instance.state, instance.start_before = State.CREATED, None
            for each in after:
                if isinstance(each.on, int):
                    items[each.on].has_dependents = True

    def save(self) -> None:
        """Save that, once the instances are."""
        TaskDependency.objects.bulk_create(
            (
                TaskDependency(instance=instance, on_id=self._pk(each), condition=each.condition)
                for instance, after in self._wanted
                for each in after
            ),
            batch_size=5000,
        )
        unfinished = [pk for pk, state in self._held.values() if not state.is_finished]
        for some in parts(unfinished):
            TaskInstance.objects.filter(pk__in=some, has_dependents=False).update(has_dependents=True)
        # What cannot start, as one of these has not succeeded, ends now.
        settle([pk for pk, state in self._held.values() if state in (State.FAILED, State.TERMINATED)], timezone.now())

    def _is_satisfied(self, after: After) -> bool:
        if isinstance(after.on, int):
            return False
        _, state = self._held[after.on]
        return state.is_finished if after.condition is Condition.ANY else state is State.SUCCESSFUL

    def _pk(self, after: After) -> int:
        return self._items[after.on].pk if isinstance(after.on, int) else self._held[after.on][0]


class _Busy(Exception):
    """Somebody else holds one of several rows."""


def _hold(uuids: set[UUID]) -> dict[UUID, tuple[int, State]]:
    """Lock instances; returns their ids and states.

    It never waits for one while it holds another. Who ends several locks them in an order of their own, and two could
    wait for each other otherwise.

    Raises:
        Refused: one is gone.
    """
    while True:
        with suppress(_Busy), transaction.atomic():
            found = _locked(uuids, skip_locked=True)
            if not _existing(uuids - found.keys()):
                break
            raise _Busy
        with suppress(_Busy), transaction.atomic():
            _locked(set(_existing(uuids - found.keys())[:1]))
            raise _Busy
    gone = [f"There is no task instance with the UUID {uuid} any more." for uuid in uuids - found.keys()]
    if gone:
        raise Refused({"after": gone[:10]})
    return found


def _locked(uuids: Iterable[UUID], *, skip_locked: bool = False) -> dict[UUID, tuple[int, State]]:
    found: dict[UUID, tuple[int, State]] = {}
    for some in parts(list(uuids)):
        rows = TaskInstance.objects.filter(uuid__in=some).order_by("pk")
        if transaction.get_connection().features.has_select_for_update:
            rows = rows.select_for_update(no_key=True, skip_locked=skip_locked)
        found |= {uuid: (pk, State(state)) for uuid, pk, state in rows.values_list("uuid", "pk", "state")}
    return found


def _existing(uuids: Collection[UUID]) -> list[UUID]:
    rows = TaskInstance.objects.order_by()
    return [uuid for some in parts(list(uuids)) for uuid in rows.filter(uuid__in=some).values_list("uuid", flat=True)]
