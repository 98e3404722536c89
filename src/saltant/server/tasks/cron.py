"""When a schedule's times are."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

EXAMPLE = "Write five fields, minute, hour, day of month, month and day of week, such as `30 2 * * 1-5`"
THIS_MACHINES_OWN = frozenset({"localtime", "posixrules", "Factory"})
"""Names under which machines keep zones that mean something else on each of them, or nothing."""


class UnknownZone(ValueError):
    """A name is none of a time zone."""


class BadCron(ValueError):
    """A text is no cron expression, or one whose time never comes."""


def zone_of(name: str) -> tzinfo:
    """The time zone of a name.

    Raises:
        UnknownZone: there is none.
    """
    if name == "UTC":
        return UTC
    try:
        if name in THIS_MACHINES_OWN:
            raise UnknownZone
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        message = f"There is no time zone {name!r}: take a name such as Europe/Berlin, America/New_York or UTC."
        raise UnknownZone(message) from None


def times(cron: str, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """The times of a cron expression after a moment, in UTC, for as long as there are any.

    A time that a clock leaves out when it is put forward comes right after the gap; one that it shows twice when it is
    put back comes once. What comes every hour or more often comes by elapsed time.

    Raises:
        BadCron: it is none.

    >>> from datetime import timedelta
    >>> start = datetime(2027, 3, 27, 12, tzinfo=UTC)
    >>> [each.isoformat() for each, _ in zip(times("30 2 * * *", zone_of("Europe/Berlin"), start), range(2))]
    ['2027-03-28T01:00:00+00:00', '2027-03-29T00:30:00+00:00']
    """
    if len(cron.split()) == 6:
        raise BadCron(f"{cron!r} has six fields: schedules know no seconds. {EXAMPLE}.")
    try:
        found = CronSim(cron, after.astimezone(zone))
    except CronSimError as error:
        if _has_no_such_day(cron):
            raise BadCron(f"{cron!r} never comes: there is no such day. {EXAMPLE}.") from None
        problem = str(error).replace("Bad ", "bad ").replace("Wrong ", "wrong ")
        raise BadCron(f"{cron!r} is no cron expression ({problem}). {EXAMPLE}.") from None
    return _rising(found, after)


def _rising(found: CronSim, last: datetime) -> Iterator[datetime]:
    """Each moment once: two local times can be the same moment, and what is shown twice is past by then."""
    for local in found:
        moment = local.astimezone(UTC)
        if moment > last:
            yield moment
            last = moment


def _has_no_such_day(cron: str) -> bool:
    """Whether it would be an expression if every month had 31 days."""
    fields = cron.split()
    try:
        CronSim(" ".join([*fields[:3], "*", *fields[4:]]), datetime.now(UTC))
        CronSim(" ".join([*fields[:2], "*", *fields[3:]]), datetime.now(UTC))
    except CronSimError:
        return False
    return True


def next_time(cron: str, zone: tzinfo, after: datetime) -> datetime:
    """The first time after a moment.

    Raises:
        BadCron: it is no cron expression, or its time never comes.
    """
    found = next(times(cron, zone, after), None)
    if found is None:
        raise BadCron(f"{cron!r} never comes: there is no such day. {EXAMPLE}.")
    return found
