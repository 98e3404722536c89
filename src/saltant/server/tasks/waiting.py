"""Why an instance does not run yet."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from saltant.jobs import Kind
from saltant.server.tasks.models import Worker
from saltant.server.tasks.services.submission import KIND_NAMES
from saltant.states import State


def live_workers() -> list[Worker]:
    """The workers that were heard of within a lease time."""
    since = timezone.now() - timedelta(seconds=settings.SALTANT.lease)
    return list(Worker.objects.filter(datetime_heartbeat__gte=since))


def explain(state: str, kind: str, queue: str, workers: Iterable[Worker]) -> str | None:
    """Why an instance in `state`, of `kind` and on `queue`, does not run: a sentence, or None if it does not wait."""
    if state == State.CREATED:
        return "It has not been handed to the workers yet."
    if state != State.PUBLISHED:
        return None
    serving = [worker for worker in workers if worker.queues is None or queue in worker.queues]
    if not serving:
        return f"No worker serves the queue '{queue}' now."
    if not any(kind in worker.kinds for worker in serving):
        return f"No worker of the queue '{queue}' can run {KIND_NAMES[Kind(kind)]}."
    return "It waits for a free slot on a worker."
