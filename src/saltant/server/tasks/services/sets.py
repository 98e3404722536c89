"""Claims and ends of many at once, a statement for each batch: on PostgreSQL, where each costs a round trip.

Rows are locked in one order by all: two batches would wait for each other otherwise. What they mean is said by the
statements for one, in `statements`: the integration tests run over both, on SQLite and on PostgreSQL.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from saltant.jobs import Attempt, End
from saltant.server.tasks.services.statements import CLAIMABLE, CLAIMED, RUNS, Statement

CLAIM = Statement(
    f"""
    WITH asked AS (
        SELECT uuid, number FROM unnest(%(uuids)s::uuid[], %(numbers)s::int[]) AS asked (uuid, number)
    ), mine AS (
        SELECT instance.id FROM asked JOIN {{instances}} AS instance ON instance.uuid = asked.uuid
        WHERE instance.attempt = asked.number AND {CLAIMABLE}
            AND (%(queues)s::bigint[] IS NULL OR task_queue_id = ANY(%(queues)s::bigint[]))
        ORDER BY instance.id FOR UPDATE OF instance SKIP LOCKED
    ), claimed AS (
        UPDATE {{instances}} AS instance SET {RUNS}
        FROM mine WHERE instance.id = mine.id
        RETURNING instance.uuid, attempt, {", ".join(f"instance.{column}" for column in CLAIMED)}
    ), begun AS (
        INSERT INTO {{attempts}} (instance_id, number, worker, lease_expires, datetime_claimed, reason, message)
        SELECT id, attempt, %(worker)s, %(lease_expires)s, %(now)s, '', '' FROM claimed
    )
    SELECT * FROM claimed
    """  # noqa: S608 - names of ours
)
END_SUCCESSFUL = Statement(
    """
    WITH told AS (
        SELECT * FROM unnest(
            %(uuids)s::uuid[], %(numbers)s::int[], %(started)s::timestamptz[], %(finished)s::timestamptz[],
            %(reasons)s::text[], %(messages)s::text[], %(exit_codes)s::int[], %(signals)s::int[],
            %(cpu_seconds)s::float8[], %(peak_memory)s::bigint[], %(image_digests)s::text[]
        ) AS told (
            uuid, number, started, finished, reason, message, exit_code, signal, cpu_seconds, peak_memory, image_digest
        )
    ), held AS (
        SELECT attempt.id AS attempt_id, told.*
        FROM told JOIN {instances} AS instance ON instance.uuid = told.uuid
        JOIN {attempts} AS attempt ON attempt.instance_id = instance.id AND attempt.number = told.number
        WHERE attempt.worker = %(worker)s AND attempt.lease_expires IS NOT NULL
        ORDER BY told.uuid FOR UPDATE OF attempt
    ), ended AS (
        UPDATE {attempts} AS attempt SET
            lease_expires = NULL, datetime_started = COALESCE(held.started, attempt.datetime_started),
            datetime_finished = held.finished, reason = held.reason, message = held.message,
            exit_code = held.exit_code, signal = held.signal, cpu_seconds = held.cpu_seconds,
            peak_memory = held.peak_memory, image_digest = held.image_digest
        FROM held WHERE attempt.id = held.attempt_id
        RETURNING attempt.instance_id, attempt.number, held.uuid, held.finished, held.reason, held.message
    ), successful AS (
        UPDATE {instances} AS instance SET
            state = 'successful', datetime_finished = ended.finished, reason = ended.reason, message = ended.message,
            datetime_changed = %(now)s
        FROM ended
        WHERE instance.id = ended.instance_id AND instance.attempt = ended.number AND instance.state = 'running'
        RETURNING instance.id, instance.has_dependents
    )
    SELECT uuid, number, successful.id
    FROM ended LEFT JOIN successful ON successful.id = ended.instance_id AND successful.has_dependents
    """
)


def claim(
    attempts: Sequence[Attempt], worker: str, queues: Collection[int] | None, now: datetime, lease: timedelta
) -> dict[Attempt, Any]:
    """Claim those of `attempts` to which no limit applies; returns the row of each that was claimed."""
    rows = CLAIM.rows(
        uuids=[attempt.uuid for attempt in attempts],
        numbers=[attempt.number for attempt in attempts],
        queues=None if queues is None else list(queues),
        worker=worker,
        lease_expires=now + lease,
        now=now,
    )
    return {Attempt(*row[:2]): row[2:] for row in rows}


def end_successful(ends: Sequence[tuple[Attempt, End]], worker: str, now: datetime) -> tuple[set[Attempt], list[int]]:
    """Record that attempts have succeeded, and with them their instances.

    Returns those whose leases still held, and the ids of instances that have ended and that others may wait for.
    """
    rows = END_SUCCESSFUL.rows(
        uuids=[attempt.uuid for attempt, _ in ends],
        numbers=[attempt.number for attempt, _ in ends],
        started=[end.started for _, end in ends],
        finished=[end.finished or now for _, end in ends],
        reasons=[end.reason.value for _, end in ends],
        messages=[end.message for _, end in ends],
        exit_codes=[end.exit_code for _, end in ends],
        signals=[end.signal for _, end in ends],
        cpu_seconds=[end.cpu_seconds for _, end in ends],
        peak_memory=[end.peak_memory for _, end in ends],
        image_digests=[end.image_digest for _, end in ends],
        worker=worker,
        now=now,
    )
    return {Attempt(*row[:2]) for row in rows}, [row[2] for row in rows if row[2] is not None]
