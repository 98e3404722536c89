"""The JSON that worker and server exchange over HTTP: both sides of each form, side by side."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from saltant.jobs import DEFAULT_PRIORITY, Attempt, End, Job, Kind, Ticket
from saltant.reasons import Reason
from saltant.workers import Announcement, Orders

JSON = dict[str, Any]


class Malformed(ValueError):
    """What was said is not of the form that was agreed on. The message says what is wrong."""


def attempt_to_json(attempt: Attempt) -> JSON:
    """An attempt's name."""
    return {"uuid": str(attempt.uuid), "number": attempt.number}


def attempt_from_json(said: Any) -> Attempt:
    """Raises Malformed."""
    return Attempt(_uuid(_get(said, "uuid", str)), _get(said, "number", int))


def ticket_to_json(ticket: Ticket) -> JSON:
    """A ticket."""
    return attempt_to_json(ticket.attempt) | {
        "queue": ticket.queue,
        "kind": ticket.kind.value,
        "priority": ticket.priority,
    }


def ticket_from_json(said: Any) -> Ticket:
    """Raises Malformed."""
    attempt = attempt_from_json(said)
    priority = said.get("priority", DEFAULT_PRIORITY)
    return Ticket(attempt, _get(said, "queue", str), _kind(_get(said, "kind", str)), int(priority))


def job_to_json(job: Job) -> JSON:
    """A claimed job."""
    return {each.name: getattr(job, each.name) for each in fields(Job)} | {
        "attempt": attempt_to_json(job.attempt),
        "kind": job.kind.value,
    }


def job_from_json(said: Any) -> Job:
    """Raises Malformed. Fields of a newer server are left out."""
    known = {each.name: said[each.name] for each in fields(Job) if each.name in _object(said)}
    try:
        return Job(**known | {"attempt": attempt_from_json(said["attempt"]), "kind": _kind(said["kind"])})
    except (KeyError, TypeError) as error:
        raise Malformed(f"A job lacks {error}.") from None


def end_to_json(end: End) -> JSON:
    """How an attempt ended."""
    return asdict(end) | {
        "reason": end.reason.value,
        "started": _time_to_json(end.started),
        "finished": _time_to_json(end.finished),
    }


def end_from_json(said: Any) -> End:
    """Raises Malformed."""
    try:
        reason = Reason(_get(said, "reason", str))
    except ValueError:
        raise Malformed(f"{said['reason']!r} is no reason.") from None
    return End(
        reason=reason,
        message=_optional(said, "message", str) or "",
        exit_code=_optional(said, "exit_code", int),
        signal=_optional(said, "signal", int),
        started=_time(_optional(said, "started", str)),
        finished=_time(_optional(said, "finished", str)),
        cpu_seconds=_optional(said, "cpu_seconds", (int, float)),
        peak_memory=_optional(said, "peak_memory", int),
    )


def announcement_to_json(said: Announcement) -> JSON:
    """What a worker is."""
    return {each.name: getattr(said, each.name) for each in fields(Announcement)} | {
        "queues": None if said.queues is None else sorted(said.queues),
        "kinds": sorted(kind.value for kind in said.kinds),
        "gpus": list(said.gpus),
    }


def announcement_from_json(said: Any) -> Announcement:
    """Raises Malformed."""
    return Announcement(
        worker=_get(said, "worker", str),
        identity=_optional(said, "identity", str) or "",
        queues=_strings(said, "queues"),
        kinds=[_kind(kind) for kind in _strings(said, "kinds") or ()],
        slots=_get(said, "slots", int),
        host=_optional(said, "host", str) or "",
        version=_optional(said, "version", str) or "",
        protocol=_get(said, "protocol", int),
        cpus=_optional(said, "cpus", (int, float)),
        memory=_optional(said, "memory", int),
        gpus=_strings(said, "gpus") or (),
    )


def running_to_json(running: Mapping[Attempt, datetime | None]) -> list[JSON]:
    """What a worker runs, each with the start of its program as far as that is known."""
    return [attempt_to_json(attempt) | {"started": _time_to_json(started)} for attempt, started in running.items()]


def running_from_json(said: Any) -> dict[Attempt, datetime | None]:
    """Raises Malformed."""
    return {attempt_from_json(each): _time(_optional(each, "started", str)) for each in list_of(said)}


def orders_to_json(orders: Orders) -> JSON:
    """What a worker is to do."""
    return {
        "to_end": [attempt_to_json(attempt) for attempt in orders.to_end],
        "drain": orders.drain,
        "announce": orders.announce,
    }


def orders_from_json(said: Any) -> Orders:
    """Raises Malformed."""
    to_end = frozenset(attempt_from_json(each) for each in list_of(_object(said).get("to_end")))
    return Orders(to_end, _get(said, "drain", bool), _get(said, "announce", bool))


def list_of(said: Any) -> list[Any]:
    """Raises Malformed unless it is a list."""
    if not isinstance(said, list):
        raise Malformed(f"A list was expected, not {said!r:.100}.")
    return said


def _object(said: Any) -> JSON:
    if not isinstance(said, dict):
        raise Malformed(f"An object was expected, not {said!r:.100}.")
    return said


def _get(said: Any, name: str, kind: type[Any]) -> Any:
    value = _optional(said, name, kind)
    if value is None:
        raise Malformed(f"{name!r} is missing.")
    return value


def _optional(said: Any, name: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    value = _object(said).get(name)
    if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        raise Malformed(f"{name!r} cannot be {value!r:.100}.")
    return value


def _strings(said: Any, name: str) -> list[str] | None:
    value = _optional(said, name, list)
    if value is not None and not all(isinstance(each, str) for each in value):
        raise Malformed(f"{name!r} must be a list of texts.")
    return value  # type: ignore[no-any-return]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Malformed(f"{text!r:.100} is no UUID.") from None


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise Malformed(f"{text!r:.100} is no kind of job.") from None


def _time_to_json(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(f"{text!r:.100} is no time.") from None
    if time.tzinfo is None:
        raise Malformed(f"{text!r} lacks its time zone.")
    return time
