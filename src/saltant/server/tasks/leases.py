"""How long the server waits for a worker that is silent."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone


def lease() -> timedelta:
    """How long a lease lasts."""
    return timedelta(seconds=settings.SALTANT.lease)


def live_since() -> datetime:
    """A worker that was last heard of before then is lost."""
    return timezone.now() - lease()
