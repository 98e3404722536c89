"""Times as people read them: local, or how long ago; and as programs do: ISO 8601 in UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

STEPS = ((86400, "d"), (3600, "h"), (60, "min"))
OLD = 14 * 86400
"""Seconds after which a date says more than a number of days."""


def iso(moment: datetime) -> str:
    """In UTC, for programs.

    >>> iso(datetime.fromisoformat("2026-05-06T09:08:09+02:00"))
    '2026-05-06T07:08:09Z'
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def local(moment: datetime) -> str:
    """In the time zone of this machine, to the second."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def relative(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, or in how long; the local date if that is weeks away.

    >>> relative(datetime(2026, 5, 6, 12, 0, tzinfo=UTC), datetime(2026, 5, 6, 12, 3, 20, tzinfo=UTC))
    '3 min ago'
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - aware).total_seconds()
    if abs(seconds) >= OLD:
        return local(aware)[:10]
    if abs(seconds) < 1:
        return "now"
    size, unit = next(((size, unit) for size, unit in STEPS if abs(seconds) >= size), (1, "s"))
    many = f"{int(abs(seconds) // size)} {unit}"
    return f"{many} ago" if seconds > 0 else f"in {many}"


def both(moment: datetime) -> str:
    """Local, and how long ago."""
    at, ago = local(moment), relative(moment)
    return at if at.startswith(ago) else f"{at} ({ago})"


def in_zone(moment: datetime, zone: str) -> str:
    """In a time zone, with its name, and how long ago. In UTC if this machine does not know the zone.

    >>> in_zone(datetime(2020, 1, 5, 1, 30, tzinfo=UTC), "Europe/Berlin")
    '2020-01-05 02:30:00 Europe/Berlin'
    """
    try:
        there = moment.astimezone(ZoneInfo(zone))
    except (ValueError, OSError, KeyError):  # what ZoneInfo raises, of a strange name or without a database of zones
        there, zone = moment.astimezone(UTC), "UTC"
    at, ago = f"{there:%Y-%m-%d %H:%M:%S} {zone}", relative(moment)
    return at if local(moment).startswith(ago) else f"{at} ({ago})"


def duration(seconds: float | None) -> str:
    """How long something took, in the two units that matter; "" for None.

    >>> duration(0.4), duration(75), duration(7322)
    ('0.4 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    rest = int(seconds)
    parts: list[tuple[int, str]] = []
    for size, unit in (*STEPS, (1, "s")):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)
