"""What becomes of those that waited for an instance when it has ended: they start, or can no longer start.

What waits is counted anew under its own lock: of any number of ends at the same time the last one sees the others.
Nothing here calls itself: a chain may be as long as it likes.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from saltant.server.tasks import changes, dispatch
from saltant.server.tasks.models import TaskDependency, TaskInstance
from saltant.server.tasks.parts import parts
from saltant.server.tasks.services.statements import Statement
from saltant.states import WAITING, State

FAIL = Statement(
    """
    UPDATE {instances} SET
        state = 'failed', datetime_finished = %(now)s, datetime_changed = %(now)s,
        reason = 'dependency_failed', message = %(message)s
    WHERE id = %(id)s
    """
)


def _counts(waiting: Sequence[int]) -> Statement:
    """Finds how many others keep each of `waiting` from starting, if any do."""
    # A scalar subquery looks up the one row, whatever the database believes of how many there are.
    return Statement(
        f"""
        SELECT instance_id, COUNT(*) FROM (
            SELECT
                instance_id, condition,
                (SELECT state FROM {{instances}} AS other WHERE other.id = dependency.on_id) AS state
            FROM {{dependencies}} AS dependency WHERE instance_id IN ({", ".join(map(str, waiting))})
        ) AS each
        WHERE state <> 'successful' AND (condition = 'success' OR state NOT IN ('failed', 'terminated'))
        GROUP BY instance_id
        """  # noqa: S608 - numbers of ours
    )


def _edges(roots: Sequence[int]) -> Statement:
    """Finds what can no longer start if `roots` have ended otherwise than well: instance and what it waited for."""
    edges = """
        SELECT dependency.instance_id, dependency.on_id FROM {dependencies} AS dependency
        JOIN {instances} AS waiting ON waiting.id = dependency.instance_id
    """
    doomed = "dependency.condition = 'success' AND waiting.state IN ('created', 'published') AND waiting.waits_for > 0"
    if connection.vendor == "postgresql":
        # It may not know yet how many rows there are: so it looks up each, and reads no whole table in every round.
        each = f"{edges} WHERE {doomed} AND dependency.on_id = doomed.instance_id OFFSET 0"
        further = f"SELECT further.* FROM doomed CROSS JOIN LATERAL ({each}) AS further"  # noqa: S608
    else:
        further = f"{edges} JOIN doomed ON doomed.instance_id = dependency.on_id WHERE {doomed}"
    return Statement(
        f"""
        WITH RECURSIVE doomed (instance_id, on_id) AS (
            {edges} WHERE {doomed} AND dependency.on_id IN ({", ".join(map(str, roots))})
            UNION {further}
        )
        SELECT instance_id, on_id FROM doomed
        """  # noqa: S608 - numbers of ours
    )


@dataclass
class _Round:
    """What is known of some that have ended, and of those that wait for them.

    Attributes:
        ended: UUIDs and states of the first ones.
        edges: what can no longer start, by what it waits for.
        locked: UUIDs of those that wait, and whether others wait for them.
    """

    ended: dict[int, tuple[UUID, str]] = field(default_factory=dict)
    edges: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    locked: dict[int, tuple[UUID, bool]] = field(default_factory=dict)

    def doomed(self) -> dict[int, str]:
        """Of those that are locked the ones that can no longer start, and why."""
        found: dict[int, str] = {}
        line = [(pk, uuid, state) for pk, (uuid, state) in self.ended.items() if state != State.SUCCESSFUL]
        while line:
            on, uuid, state = line.pop()
            for pk in self.edges[on]:
                if pk in self.locked and pk not in found:
                    how = "was terminated" if state == State.TERMINATED else "failed"
                    found[pk] = f"Instance {uuid} was to succeed first, and it {how}."
                    line.append((pk, self.locked[pk][0], State.FAILED.value))
        return found


def settle(ended: Collection[int], now: datetime) -> None:
    """Let start, or end, what waited for instances that this transaction ended, or holds locked after their ends.

    It is enough to name those that others may wait for.
    """
    line = list(ended)
    while line:
        # Of those that end now, somebody may have begun to wait until they were locked.
        line = _settle(line, now)


def _settle(ended: Sequence[int], now: datetime) -> list[int]:
    """Do so once; returns those that have ended by that and that others may wait for."""
    found = _Round()
    for some in parts(ended):
        for pk, uuid, state in TaskInstance.objects.filter(pk__in=some).order_by().values_list("pk", "uuid", "state"):
            found.ended[pk] = (uuid, state)
    badly = [pk for pk, (_, state) in found.ended.items() if state != State.SUCCESSFUL]
    for some in parts(badly):
        for instance, on in _edges(some).rows():
            found.edges[on].append(instance)
    waiting: set[int] = set()
    over = [*ended, *{pk for pks in found.edges.values() for pk in pks}]
    for some in parts(over):
        rows = TaskDependency.objects.filter(on__in=some, instance__state__in=WAITING, instance__waits_for__gt=0)
        waiting |= set(rows.order_by().values_list("instance", flat=True))
    # In one order, as all do who lock several.
    for some in parts(sorted(waiting)):
        locked = TaskInstance.objects.filter(pk__in=some, state__in=WAITING, waits_for__gt=0).order_by("pk")
        for pk, uuid, has_dependents in locked.select_for_update(no_key=True).values_list(
            "pk", "uuid", "has_dependents"
        ):
            found.locked[pk] = (uuid, has_dependents)
    doomed = found.doomed()
    if doomed:
        FAIL.each({"id": pk, "message": message, "now": now} for pk, message in doomed.items())
    changes.tell(*(found.locked[pk][0] for pk in doomed), ended=True)
    _release([pk for pk in found.locked if pk not in doomed], now)
    return [pk for pk in doomed if found.locked[pk][1]]


def _release(waiting: Sequence[int], now: datetime) -> None:
    """Count what they still wait for, and have those sent that wait for nothing more."""
    for some in parts(waiting):
        counts: dict[int, int] = dict(_counts(some).rows())
        by_count = defaultdict(list)
        for pk, count in counts.items():
            by_count[count].append(pk)
        for count, pks in by_count.items():
            TaskInstance.objects.filter(pk__in=pks).update(waits_for=count)
        free = [pk for pk in some if pk not in counts]
        if free:
            _send(free, now)


def _send(pks: Sequence[int], now: datetime) -> None:
    """Send instances as if they were new. How long they may wait for a worker counts from now on."""
    stored = dispatch.birth_state()
    columns = (*dispatch.COLUMNS, "queue_timeout", "task_queue__paused")
    instances = list(TaskInstance.objects.filter(pk__in=pks).order_by("pk").select_related("task_queue").only(*columns))
    change: dict[str, object] = {"waits_for": 0}
    if stored is State.PUBLISHED:
        change |= {"state": stored, "datetime_changed": now}
    by_patience = defaultdict(list)
    for instance in instances:
        by_patience[instance.queue_timeout or settings.SALTANT.claim_timeout].append(instance.pk)
    for patience, some in by_patience.items():
        start_before = now + timedelta(seconds=patience) if patience else None
        TaskInstance.objects.filter(pk__in=some).update(**change, start_before=start_before)
    # What no worker may take is sent when its queue is resumed.
    ready = [each for each in instances if not (dispatch.sends_again() and each.task_queue.paused)]
    if ready:
        transaction.on_commit(partial(dispatch.publish_many, ready, stored))
    changes.tell(*(each.uuid for each in instances))
