"""What was answered to requests that may come again."""

from datetime import datetime, timedelta

from saltant.server.tasks.models import KeptAnswer

KEPT = timedelta(hours=24)
MOST = 500
"""How many are removed at once: whoever else writes must not wait."""


def remove_old_answers(now: datetime) -> int:
    """Remove some of the answers that nobody will ask for again; returns how many."""
    old = KeptAnswer.objects.filter(datetime_created__lt=now - KEPT).order_by("datetime_created")
    pks = list(old.values_list("pk", flat=True)[:MOST])
    return KeptAnswer.objects.filter(pk__in=pks).delete()[0] if pks else 0
