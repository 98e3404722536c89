"""What a sweep has to do. A server at rest asks nothing else each second, so it is one statement."""

from datetime import datetime, timedelta
from typing import NamedTuple

from saltant.server.tasks.services.statements import UNFINISHED, WAITING, Statement

REPUBLISH_AFTER = timedelta(seconds=5)
"""How long an instance may stay `created` before its ticket is sent again."""

# Each says what the one says that does it: `recovery` and `statements` have these.
LOOK = Statement(
    f"""
    SELECT
        EXISTS (
            SELECT 1 FROM {{schedules}} WHERE active AND (next_time <= %(horizon)s OR waiting_since IS NOT NULL)
        ),
        EXISTS (
            SELECT 1 FROM {{instances}} WHERE {UNFINISHED} AND state = 'created' AND datetime_created < %(unsent_since)s
        ),
        EXISTS (SELECT 1 FROM {{instances}} WHERE {WAITING} AND start_after <= %(now)s),
        EXISTS (SELECT 1 FROM {{instances}} WHERE held_back),
        EXISTS (SELECT 1 FROM {{instances}} WHERE {WAITING} AND attempt = 1 AND start_before < %(now)s),
        EXISTS (SELECT 1 FROM {{attempts}} WHERE lease_expires < %(now)s)
    """  # noqa: S608 - words of ours
)


def unsent_since(now: datetime) -> datetime:
    """What was created before, and is not published yet, may never have been sent."""
    return now - REPUBLISH_AFTER


class Due(NamedTuple):
    """Which kinds of work there may be."""

    schedules: bool
    """A time of a schedule comes within the horizon, or an instance waits for the end of an earlier one."""
    unsent: bool
    """An instance has long been created, and its ticket may not have been sent."""
    delayed: bool
    """The pause before a next attempt is over."""
    held_back: bool
    """An instance waits for room."""
    unclaimed: bool
    """No worker claimed an instance in time."""
    silent: bool
    """A lease is over."""


def look(now: datetime, horizon: timedelta) -> Due:
    """What there may be to do now, and as to schedules within `horizon`."""
    row = LOOK.one(now=now, horizon=now + horizon, unsent_since=unsent_since(now))
    return Due(*map(bool, row or ()))
