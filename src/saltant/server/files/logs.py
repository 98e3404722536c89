"""How logs grow."""

from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from saltant.files import NO_MORE, LogChunk, safe_name
from saltant.server.files.attempts import attempts_of
from saltant.server.files.keys import held, log_key
from saltant.server.files.models import LogFile
from saltant.server.files.stores import store
from saltant.server.tasks.changes import tell_log
from saltant.server.tasks.models import TaskAttempt

MOST_LOGS: Final = 1000
"""How many logs an attempt may have: a container may make files by the thousand."""


def append_logs(worker: str, chunks: Sequence[LogChunk]) -> list[int]:
    """Add chunks to logs; returns for each the offset from which the server wants to go on with its log.

    What it has already changes nothing, and what would leave a gap is not written. A chunk without bytes asks only.
    NO_MORE: the log was cut at the limit, its name is no good one, or the attempt is not this worker's.

    Raises:
        CannotKeep: the store does not take it now. Chunks before that one were added.
    """
    attempts = attempts_of(worker, {chunk.attempt for chunk in chunks})
    return [_append(attempts.get(chunk.attempt), chunk) for chunk in chunks]


def _append(attempt: TaskAttempt | None, chunk: LogChunk) -> int:
    if attempt is None or not safe_name(chunk.name):
        return NO_MORE
    known = LogFile.objects.filter(attempt=attempt, name=chunk.name).first()
    if known is None:
        if not chunk.data or chunk.offset > 0:
            return 0
        if LogFile.objects.filter(attempt=attempt).count() >= MOST_LOGS:
            return NO_MORE
        known, _ = LogFile.objects.get_or_create(attempt=attempt, name=chunk.name)
    if known.is_cut:
        return NO_MORE
    if not _is_next(known, chunk):
        return known.size
    with held(LogFile, known.pk) as log:
        if log is None or log.is_cut:
            return NO_MORE
        return _grow(log, attempt, chunk) if _is_next(log, chunk) else log.size


def _is_next(log: LogFile, chunk: LogChunk) -> bool:
    """Whether a chunk has what comes next in a log."""
    return chunk.offset <= log.size < chunk.offset + len(chunk.data)


def _grow(log: LogFile, attempt: TaskAttempt, chunk: LogChunk) -> int:
    """Write what is new in a chunk: first the bytes, then that they are there."""
    uuid, key = attempt.instance.uuid, log_key(attempt.instance.uuid, attempt.number, log.pk)
    data = chunk.data[log.size - chunk.offset :]
    room = _room(attempt)
    is_cut = len(data) > room
    if is_cut:
        data = data[:room]
        last = data[-1:] or b"".join(store().read(key, max(0, log.size - 1), log.size))
        data += (b"" if last in (b"", b"\n") else b"\n") + cut_line().encode()
    store().write_at(key, log.size, data)
    size = log.size + len(data)
    with transaction.atomic():
        if not LogFile.objects.filter(pk=log.pk, size=log.size).update(size=size, is_cut=is_cut):
            return NO_MORE  # it was pruned
        tell_log(uuid)
    return NO_MORE if is_cut else size


def _room(attempt: TaskAttempt) -> int:
    """How many bytes more the limit lets the logs of an instance have."""
    has = LogFile.objects.filter(attempt__instance=attempt.instance_id).aggregate(all=Sum("size"))["all"] or 0
    limit: int = settings.SALTANT.log_limit
    return max(0, limit - has)


def cut_line() -> str:
    """The last line of a log that was cut."""
    limit = settings.SALTANT.log_limit
    return f"[saltant: cut here: an instance may have {limit} bytes of logs (SALTANT_LOG_LIMIT)]\n"
