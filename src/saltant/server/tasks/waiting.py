"""Why an instance does not run yet."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from saltant.jobs import Kind
from saltant.server.prepared import Prepared
from saltant.server.tasks.models import Worker
from saltant.server.tasks.services.submission import KIND_NAMES
from saltant.states import WAITING, State

FIELDS = [field.attname for field in Worker._meta.concrete_fields]

# Who looks at an instance that waits looks often.
_live = Prepared(
    lambda since: Worker.objects.filter(datetime_heartbeat__gte=since).order_by("id").values_list(*FIELDS),
    Worker._meta.get_field("datetime_heartbeat"),
    datetime(1, 1, 2, tzinfo=UTC),
)


def live_workers() -> list[Worker]:
    """The workers that were heard of within a lease time."""
    since = timezone.now() - timedelta(seconds=settings.SALTANT.lease)
    return [Worker.from_db(DEFAULT_DB_ALIAS, FIELDS, row) for row in _live.rows(since)]


def explain(
    state: str,
    kind: str,
    queue: str,
    workers: Iterable[Worker],
    *,
    paused: bool = False,
    start_after: datetime | None = None,
) -> str | None:
    """Why an instance in `state`, of `kind` and on `queue`, does not run: a sentence, or None if it does not wait.

    `paused` is the queue's, `start_after` the instance's.
    """
    if state not in WAITING:
        return None
    if paused:
        return f"The queue '{queue}' is paused."
    if start_after is not None:
        return f"Its next attempt starts at {start_after.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}."
    if state == State.CREATED:
        return "It has not been handed to the workers yet."
    serving = [worker for worker in workers if worker.queues is None or queue in worker.queues]
    if not serving:
        return f"No worker serves the queue '{queue}' now."
    if not any(kind in worker.kinds for worker in serving):
        return f"No worker of the queue '{queue}' can run {KIND_NAMES[Kind(kind)]}."
    return "It waits for a free slot on a worker."
