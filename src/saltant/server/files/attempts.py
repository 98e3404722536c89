"""Whose attempts are whose."""

from collections.abc import Collection

from saltant.jobs import Attempt
from saltant.server.tasks.models import TaskAttempt


def attempts_of(worker: str, attempts: Collection[Attempt]) -> dict[Attempt, TaskAttempt]:
    """Those of `attempts` that `worker` claimed, also if their leases are over: what it tells late is still true."""
    rows = (
        TaskAttempt.objects.filter(instance__uuid__in={each.uuid for each in attempts}, worker=worker)
        .select_related("instance")
        .only("number", "worker", "instance__uuid")
        .order_by()
    )
    found = {Attempt(row.instance.uuid, row.number): row for row in rows}
    return {attempt: found[attempt] for attempt in attempts if attempt in found}
