"""The time zone in which who looks at a page wants to see times."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, tzinfo

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from saltant.server.tasks.cron import UnknownZone, zone_of

_chosen: ContextVar[tzinfo | None] = ContextVar("_chosen", default=None)


@contextmanager
def zone(name: str) -> Iterator[None]:
    """Show times in a zone. Empty, or unknown to this machine: in UTC, which a script makes the browser's."""
    try:
        found = zone_of(name) if name else None
    except UnknownZone:
        found = None
    before = _chosen.set(found)
    try:
        with timezone.override(found):
            yield
    finally:
        _chosen.reset(before)


def chosen() -> tzinfo | None:
    """The zone that was chosen, if any was."""
    return _chosen.get()


def name() -> str:
    """The name of the chosen zone, or UTC."""
    return getattr(chosen(), "key", None) or "UTC"


def in_zone(value: str) -> str:
    """A time that somebody wrote, with the offset of the chosen zone if they wrote none; what is no time stays so.

    >>> with zone("Europe/Berlin"):
    ...     [in_zone(each) for each in ("2026-07-01T22:30", "2026-07-01T22:30Z", "soon")]
    ['2026-07-01T22:30:00+02:00', '2026-07-01T22:30Z', 'soon']
    """
    try:
        moment = parse_datetime(value)
    except ValueError:
        return value
    if moment is None or moment.tzinfo is not None or chosen() is None:
        return value
    return moment.replace(tzinfo=chosen()).isoformat()


def text(moment: datetime) -> str:
    """A moment with the name of its zone, in the chosen one or in UTC.

    >>> from datetime import UTC
    >>> with zone("Europe/Berlin"):
    ...     text(datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    '2026-07-02 00:30:00 CEST'
    """
    return f"{timezone.localtime(moment, chosen() or timezone.get_default_timezone()):%Y-%m-%d %H:%M:%S %Z}"
