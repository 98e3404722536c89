"""The statements that every job passes through, as SQL.

Through the ORM their building costs several times their running. PostgreSQL and SQLite both read these.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from saltant.server.accounts.models import User
from saltant.server.tasks.models import (
    TaskAttempt,
    TaskDependency,
    TaskInstance,
    TaskQueue,
    TaskWhitelist,
    WhitelistPin,
    Worker,
)
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.tasks.state_lookups import UNFINISHED_STATES, written

Row = tuple[Any, ...]

TABLES = {
    "instances": TaskInstance._meta.db_table,
    "attempts": TaskAttempt._meta.db_table,
    "dependencies": TaskDependency._meta.db_table,
    "workers": Worker._meta.db_table,
    "users": User._meta.db_table,
    "queues": TaskQueue._meta.db_table,
    "queue_whitelists": TaskQueue.whitelists.through._meta.db_table,
    "whitelists": TaskWhitelist._meta.db_table,
    "whitelist_types": TaskWhitelist.task_types.through._meta.db_table,
    "pins": WhitelistPin._meta.db_table,
    "schedules": Schedule._meta.db_table,
}


class Statement:
    """One SQL statement with named parameters; the names of `TABLES` in braces stand for the tables."""

    def __init__(self, sql: str) -> None:
        self._sql = sql.format(**TABLES)

    def run(self, **parameters: Any) -> int:
        """Run it; returns how many rows it changed."""
        with self._executed(parameters) as cursor:
            return int(cursor.rowcount)

    def each(self, every: Iterable[dict[str, Any]]) -> None:
        """Run it once for each of these parameters."""
        connection = connections[DEFAULT_DB_ALIAS]
        with connection.cursor() as cursor:
            cursor.executemany(self._sql, [_adapt(parameters, connection) for parameters in every])

    def one(self, **parameters: Any) -> Row | None:
        """Run it; returns the row that it gives back, if there is one."""
        with self._executed(parameters) as cursor:
            row: Row | None = cursor.fetchone()
            return row

    def rows(self, **parameters: Any) -> list[Row]:
        """Run it; returns the rows that it gives back."""
        with self._executed(parameters) as cursor:
            rows: list[Row] = cursor.fetchall()
            return rows

    def _executed(self, parameters: dict[str, Any]) -> CursorWrapper:
        """A cursor that has run it."""
        connection = connections[DEFAULT_DB_ALIAS]
        cursor = connection.cursor()
        try:
            cursor.execute(self._sql, _adapt(parameters, connection))
        except BaseException:
            cursor.close()
            raise
        return cursor


def _adapt(parameters: dict[str, Any], connection: BaseDatabaseWrapper) -> dict[str, Any]:
    """What the database's own driver takes: SQLite knows neither times nor UUIDs."""
    for name, value in parameters.items():
        if isinstance(value, datetime):
            parameters[name] = connection.ops.adapt_datetimefield_value(value)
        elif isinstance(value, UUID) and not connection.features.has_native_uuid_field:
            parameters[name] = value.hex
    return parameters


UNFINISHED = written("state", UNFINISHED_STATES)
WAITING = f"{UNFINISHED} AND state IN ('created', 'published')"
"""The first half is for SQLite: see `state_lookups`."""
ALLOWED = Statement(
    """
    SELECT pin.from_revision, pin.to_revision FROM {queue_whitelists} AS held
    JOIN {whitelists} AS whitelist ON whitelist.id = held.taskwhitelist_id AND whitelist.datetime_archived IS NULL
    JOIN {whitelist_types} AS listed ON listed.taskwhitelist_id = held.taskwhitelist_id
    LEFT JOIN {pins} AS pin ON pin.whitelist_id = held.taskwhitelist_id AND pin.task_type_id = listed.tasktype_id
    WHERE held.taskqueue_id = %(queue)s AND listed.tasktype_id = %(task_type)s
    """
)
"""For each whitelist in use of a queue that holds a type: the first and the last revision that it allows."""
CLAIMED = ("id", "kind", "arguments", "snapshot", "timeout", "memory", "cpus", "gpus", "max_attempts", "retry_on")
"""What is told of an instance that was claimed."""
_CLAIMED = ", ".join(CLAIMED)
RUNS = "state = 'running', start_after = NULL, held_back = FALSE, datetime_changed = %(now)s"
"""What a claim makes of an instance."""
CLAIMABLE = """
    state IN ('created', 'published') AND datetime_cancelled IS NULL AND waits_for = 0
    AND (start_after IS NULL OR start_after <= %(now)s)
    AND cpus IS NULL AND memory IS NULL AND gpus IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM {queues} AS queue
        WHERE queue.id = task_queue_id AND (queue.paused OR queue.max_running IS NOT NULL)
    )
    AND NOT EXISTS (
        SELECT 1 FROM {users} AS owner WHERE owner.id = user_id AND owner.max_running IS NOT NULL
    )
"""
"""What holds of an instance that may be claimed, and to which no limit applies."""


@lru_cache(maxsize=1000)
def _claim(queues: tuple[int, ...] | None) -> Statement:
    only = "" if queues is None else f"AND task_queue_id IN ({', '.join(map(str, queues)) or 'NULL'})"
    return Statement(
        f"""
        UPDATE {{instances}} SET {RUNS}
        WHERE uuid = %(uuid)s AND attempt = %(number)s AND {CLAIMABLE} {only}
        RETURNING {_CLAIMED}
        """  # noqa: S608 - numbers of ours
    )


def claim(queues: Collection[int] | None) -> Statement:
    """Takes an instance to which no limit applies, on one of `queues` (None: on any)."""
    return _claim(None if queues is None else tuple(sorted(queues)))


CLAIM_LIMITED = Statement(
    f"""
    UPDATE {{instances}} SET {RUNS}
    WHERE id = %(id)s
    RETURNING {_CLAIMED}
    """  # noqa: S608 - names of ours
)
HELD = Statement(
    f"""
    SELECT {_CLAIMED} FROM {{instances}} AS instance
    WHERE uuid = %(uuid)s AND attempt = %(number)s AND state = 'running' AND datetime_cancelled IS NULL AND EXISTS (
        SELECT 1 FROM {{attempts}} AS held
        WHERE held.instance_id = instance.id AND held.number = %(number)s AND held.worker = %(worker)s
            AND held.lease_expires IS NOT NULL
    )
    """  # noqa: S608 - names of ours
)
ANY_HELD_BACK = Statement("SELECT 1 FROM {instances} WHERE held_back LIMIT 1")
BEAT = Statement("UPDATE {workers} SET datetime_heartbeat = %(now)s WHERE name = %(worker)s RETURNING drain")
BEGIN_ATTEMPT = Statement(
    """
    INSERT INTO {attempts} (instance_id, number, worker, lease_expires, datetime_claimed, reason, message)
    VALUES (%(instance)s, %(number)s, %(worker)s, %(lease_expires)s, %(now)s, '', '')
    """
)
END_ATTEMPT = Statement(
    """
    UPDATE {attempts} SET
        lease_expires = NULL, datetime_started = COALESCE(%(started)s, datetime_started),
        datetime_finished = %(finished)s, reason = %(reason)s, message = %(message)s, exit_code = %(exit_code)s,
        signal = %(signal)s, cpu_seconds = %(cpu_seconds)s, peak_memory = %(peak_memory)s,
        image_digest = %(image_digest)s
    WHERE instance_id = (SELECT id FROM {instances} WHERE uuid = %(uuid)s)
        AND number = %(number)s AND worker = %(worker)s AND lease_expires IS NOT NULL
    RETURNING instance_id
    """
)
END_INSTANCE = Statement(
    """
    UPDATE {instances} SET
        state = %(state)s, datetime_finished = %(finished)s, reason = %(reason)s, message = %(message)s,
        datetime_changed = %(now)s
    WHERE id = %(id)s AND attempt = %(number)s AND state = 'running'
    RETURNING has_dependents
    """
)
RETRY_INSTANCE = Statement(
    """
    UPDATE {instances} SET
        state = 'published', attempt = attempt + 1, start_after = %(start_after)s, datetime_changed = %(now)s
    WHERE id = %(id)s AND attempt = %(number)s AND state = 'running' AND datetime_cancelled IS NULL
    """
)
FAIL_UNCLAIMED = Statement(
    f"""
    UPDATE {{instances}} SET
        state = 'failed', datetime_finished = %(now)s, datetime_changed = %(now)s, held_back = FALSE,
        reason = %(reason)s, message = %(message)s
    WHERE {WAITING} AND attempt = 1 AND start_before < %(now)s
        AND (queue_timeout IS NULL) = %(has_no_time)s
    RETURNING uuid, id, has_dependents
    """  # noqa: S608 - words of ours
)
