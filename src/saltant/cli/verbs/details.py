"""All that there is to say of one task instance."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

from saltant.cli.resolve import class_of
from saltant.cli.verbs.instances import progress_of, reason_in_words, seconds_of, share_of, state_of

if TYPE_CHECKING:
    from saltant.cli.verbs.instances import Names
    from saltant.models.attempt import TaskAttempt
    from saltant.models.base_task_instance import BaseTaskInstance

LIMITS = ("timeout", "queue_timeout", "max_attempts", "retry_on", "retry_delay", "memory", "cpus", "priority", "gpus")


def fields_of(instance: BaseTaskInstance, names: Names) -> dict[str, object]:
    """Every field of an instance, as JSON has them."""
    return {
        "uuid": instance.uuid,
        "class": class_of(instance),
        "state": state_of(instance),
        "name": instance.name,
        "type": names.of_type(instance),
        "queue": names.of_queue(instance),
        "user": instance.user,
        "task_type": instance.task_type,
        "task_queue": instance.task_queue,
        "revision": instance.revision,
        "command": instance.command,
        "arguments": instance.arguments,
        "datetime_created": instance.datetime_created,
        "datetime_started": instance.datetime_started,
        "datetime_finished": instance.datetime_finished,
        "took": seconds_of(instance),
        "reason": instance.reason,
        "message": instance.message,
        "waiting": instance.waiting,
        "progress": progress_of(instance),
        "exit_code": instance.exit_code,
        "signal": instance.signal,
        "attempt": instance.attempt,
        "worker": instance.worker,
        "cpu_seconds": instance.cpu_seconds,
        "peak_memory": instance.peak_memory,
        "cancelled_by": instance.cancelled_by,
        **{name: getattr(instance, name, None) for name in LIMITS},
    }


def attempts_of(attempts: list[TaskAttempt]) -> list[dict[str, object]]:
    """Attempts, as JSON has them."""
    return [asdict(each) for each in attempts]


def for_people(instance: BaseTaskInstance, names: Names, attempts: list[TaskAttempt], host: str) -> dict[str, object]:
    """What people want to know of an instance: what does not apply is left out."""
    from saltant.cli import times

    said = fields_of(instance, names)
    number = instance.attempt or 1
    shown: dict[str, object] = {name: said[name] for name in ("uuid", "state")}
    if instance.is_finished:
        shown["reason"] = reason_in_words(instance)
    shown["waiting"] = instance.waiting
    shown["progress"] = share_of(instance)
    shown |= {name: said[name] for name in ("name", "type", "revision", "queue", "user", "arguments")}
    shown["command"] = None if instance.command is None else shlex.join(instance.command)
    shown |= {
        "created": instance.datetime_created,
        "started": instance.datetime_started,
        "finished": instance.datetime_finished,
        "took": times.duration(seconds_of(instance)),
        "worker": f"{instance.worker} on {host}" if instance.worker and host else instance.worker,
        "exit_code": instance.exit_code,
        "signal": instance.signal,
        "cpu_time": times.duration(instance.cpu_seconds),
        "peak_memory": None if instance.peak_memory is None else size(instance.peak_memory),
        "cancelled_by": instance.cancelled_by,
        "attempt": f"{number} of {instance.max_attempts}" if (instance.max_attempts or 1) > 1 else None,
    }
    for each in attempts[:-1] if len(attempts) > 1 else []:
        shown[f"attempt_{each.number}"] = f"{each.message or each.reason or ''} ({each.worker})"
    shown |= {name: said[name] for name in ("timeout", "queue_timeout", "cpus", "gpus")}
    shown["memory"] = None if instance.memory is None else size(instance.memory)
    shown["priority"] = instance.priority if instance.priority not in (None, 5) else None
    return {name: value for name, value in shown.items() if value not in (None, "", {})}


def size(count: int) -> str:
    """Bytes for people.

    >>> size(900), size(1536), size(5 * 2**30)
    ('900 B', '1.5 KiB', '5.0 GiB')
    """
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
