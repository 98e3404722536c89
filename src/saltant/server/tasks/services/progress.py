"""How far attempts are, as their jobs say it. The last word stays when they have ended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from saltant.jobs import Attempt, End
from saltant.progress import Progress
from saltant.server.tasks import changes
from saltant.server.tasks.models import TaskAttempt


def keep_progress(progress: Mapping[Attempt, Progress], leases: Mapping[Attempt, int], now: datetime) -> None:
    """Keep how far running attempts are. `leases` are the ids of those that hold a lease."""
    news = {leases[attempt]: (attempt, said) for attempt, said in progress.items() if attempt in leases}
    leased = TaskAttempt.objects.filter(lease_expires__isnull=False)
    with transaction.atomic():
        # What is locked is ending now, and its end tells the last of it.
        free = leased.filter(pk__in=list(news)).order_by("pk").select_for_update(skip_locked=True)
        for pk in list(free.values_list("pk", flat=True)):
            attempt, said = news[pk]
            _keep(leased.filter(pk=pk), said, now)
            changes.tell(attempt.uuid)


def keep_last_progress(ends: Mapping[Attempt, End], now: datetime) -> None:
    """Keep how far attempts were that end in this transaction."""
    for attempt, end in ends.items():
        if end.progress is not None:
            mine = TaskAttempt.objects.filter(instance__uuid=attempt.uuid, number=attempt.number)
            _keep(mine, end.progress, now)


def _keep(rows: "QuerySet[TaskAttempt]", progress: Progress, now: datetime) -> None:
    rows.update(progress=_body(progress, now), datetime_progress=now)


def _body(progress: Progress, now: datetime) -> dict[str, Any]:
    """As the API shows it."""
    return {
        "percent": progress.percent,
        "message": progress.message,
        "done": progress.done,
        "total": progress.total,
        "datetime": now.isoformat(timespec="microseconds")[:26] + "Z",
    }
