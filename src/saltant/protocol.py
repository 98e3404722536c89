"""The JSON that worker and server exchange over HTTP: both sides of each form, side by side.

What is read here is within what a database holds, whoever sent it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from uuid import UUID

from saltant.jobs import DEFAULT_PRIORITY, Attempt, End, Job, Kind, Ticket
from saltant.progress import Progress, progress_of
from saltant.reasons import Reason
from saltant.workers import Announcement, Orders

JSON = dict[str, Any]

LONGEST_LIST = 1000
"""How many things one list may hold: of more, a worker says some in the next request."""
LONGEST_NAME = 200
LONGEST_MESSAGE = 10_000
"""Characters. A longer message is cut: that an attempt ended is worth more than all that was said of it."""
INTEGER, LARGE = 2**31 - 1, 2**63 - 1
"""What the columns of a database hold."""
MOST = 1e9
"""More seconds of processor time, and more processors, than there are."""


class Malformed(ValueError):
    """What was said is not of the form that was agreed on. The message says what is wrong."""


def attempt_to_json(attempt: Attempt) -> JSON:
    """An attempt's name."""
    return {"uuid": str(attempt.uuid), "number": attempt.number}


def attempt_from_json(said: Any) -> Attempt:
    """Raises Malformed."""
    return Attempt(_uuid(_get(said, "uuid", str)), _integer(_get(said, "number", int), "number", 1, INTEGER))


def attempts_to_json(attempts: Iterable[Attempt]) -> JSON:
    """The names of some attempts, as a body."""
    return {"attempts": [attempt_to_json(attempt) for attempt in attempts]}


def attempts_from_json(said: Any) -> list[Attempt]:
    """Raises Malformed."""
    return [attempt_from_json(each) for each in list_of(_object(said).get("attempts"))]


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
    priority = _optional(said, "priority", int)
    return Ticket(
        attempt,
        _name(said, "queue"),
        _kind(_get(said, "kind", str)),
        DEFAULT_PRIORITY if priority is None else _integer(priority, "priority", 0, 9),
    )


def tickets_from_json(said: Any) -> list[Ticket]:
    """The tickets that a worker wants to claim. Raises Malformed."""
    return [ticket_from_json(each) for each in list_of(_object(said).get("tickets"))]


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
    return {
        "reason": end.reason.value,
        "message": end.message,
        "exit_code": end.exit_code,
        "signal": end.signal,
        "started": _time_to_json(end.started),
        "finished": _time_to_json(end.finished),
        "cpu_seconds": end.cpu_seconds,
        "peak_memory": end.peak_memory,
        "image_digest": end.image_digest,
        "progress": None if end.progress is None else asdict(end.progress),
    }


def end_from_json(said: Any) -> End:
    """Raises Malformed."""
    return End(
        reason=_reason(_get(said, "reason", str)),
        message=_message(_optional(said, "message", str) or ""),
        exit_code=_integer(_optional(said, "exit_code", int), "exit_code", -INTEGER, INTEGER),
        signal=_integer(_optional(said, "signal", int), "signal", 0, INTEGER),
        started=_time(_optional(said, "started", str)),
        finished=_time(_optional(said, "finished", str)),
        cpu_seconds=_amount(said, "cpu_seconds", least=0.0),
        peak_memory=_integer(_optional(said, "peak_memory", int), "peak_memory", 0, LARGE),
        image_digest=_text(said, "image_digest", LONGEST_NAME),
        progress=progress_of(said.get("progress")),
    )


def ends_from_json(said: Any) -> list[tuple[Attempt, End]]:
    """The ends that a worker reports. Raises Malformed."""
    return [(attempt_from_json(each), end_from_json(each.get("end"))) for each in list_of(_object(said).get("ends"))]


def announcement_to_json(said: Announcement) -> JSON:
    """What a worker is."""
    return {each.name: getattr(said, each.name) for each in fields(Announcement)} | {
        "queues": None if said.queues is None else sorted(said.queues),
        "lanes": None if said.lanes is None else list(said.lanes),
        "kinds": sorted(kind.value for kind in said.kinds),
        "gpus": list(said.gpus),
    }


def announcement_from_json(said: Any) -> Announcement:
    """Raises Malformed."""
    slots = _integer(_get(said, "slots", int), "slots", 1, INTEGER)
    return Announcement(
        worker=worker_of(said),
        identity=_text(said, "identity", 64),
        queues=_names(said, "queues"),
        lanes=_names(said, "lanes"),
        kinds=[_kind(kind) for kind in _names(said, "kinds") or []],
        slots=slots,
        host=_text(said, "host", LONGEST_NAME),
        version=_text(said, "version", 50),
        protocol=protocol_of(said),
        cpus=_amount(said, "cpus", least=0.01),
        memory=_integer(_optional(said, "memory", int), "memory", 1, LARGE),
        gpus=_names(said, "gpus") or [],
    )


def lanes_from_json(said: Any, queues: Collection[str] | None) -> list[str] | None:
    """The lanes that a server tells a worker, or the names of its queues where it tells none. Raises Malformed."""
    lanes = _names(said, "lanes")
    return lanes if lanes or queues is None else list(queues)


def protocol_of(said: Any) -> int:
    """The protocol that a worker speaks, of an announcement that may be of a form not known here.

    Raises:
        Malformed: it does not say.
    """
    protocol: int = _integer(_get(said, "protocol", int), "protocol", 0, INTEGER)
    return protocol


def running_to_json(
    running: Mapping[Attempt, datetime | None], progress: Mapping[Attempt, Progress] | None = None
) -> list[JSON]:
    """What a worker runs, each with the start of its program as far as that is known, and news of its progress."""
    news = {attempt: {"progress": asdict(said)} for attempt, said in (progress or {}).items()}
    return [
        attempt_to_json(attempt) | {"started": _time_to_json(started)} | news.get(attempt, {})
        for attempt, started in running.items()
    ]


def running_from_json(said: Any) -> dict[Attempt, datetime | None]:
    """Raises Malformed."""
    return {attempt_from_json(each): _time(_optional(each, "started", str)) for each in list_of(said)}


def progress_from_json(said: Any) -> dict[Attempt, Progress]:
    """The news of their progress among what a worker runs. What cannot be is passed over. Raises Malformed."""
    found = {attempt_from_json(each): progress_of(each.get("progress")) for each in list_of(said)}
    return {attempt: progress for attempt, progress in found.items() if progress is not None}


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


def worker_of(said: Any) -> str:
    """The name of the worker that says it. It stands in URLs and logs too.

    Raises:
        Malformed: it is missing, or cannot be a name.
    """
    name = _name(said, "worker")
    if "/" in name or name in (".", ".."):
        raise Malformed(f"A worker cannot be named {name!r}: it stands in a URL.")
    return name


def holding_from_json(said: Any) -> list[Attempt] | None:
    """What a worker that has just started still has to report; None if it has not just started. Raises Malformed."""
    holding = _object(said).get("holding")
    return None if holding is None else [attempt_from_json(each) for each in list_of(holding)]


def is_draining(said: Any) -> bool:
    """Whether a worker that leaves still runs something. Raises Malformed."""
    return bool(_get(said, "draining", bool))


def time_of(said: Any) -> datetime:
    """The time by the clock of who says it. Raises Malformed."""
    time = _time(_get(said, "time", str))
    assert time is not None  # noqa: S101 - it is not missing
    return time


def list_of(said: Any) -> list[Any]:
    """Raises Malformed unless it is a list, and not too long."""
    if not isinstance(said, list):
        raise Malformed(f"A list was expected, not {said!r:.100}.")
    if len(said) > LONGEST_LIST:
        raise Malformed(f"A list may hold {LONGEST_LIST} things, not {len(said)}.")
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
        raise Malformed(f"{name!r} cannot be {_shown(value)}.")
    return value


def _integer(value: Any, name: str, least: int, most: int) -> Any:
    """An integer, or None, that is not out of bounds."""
    if value is not None and not least <= value <= most:
        raise Malformed(f"{name!r} must be between {least} and {most}, not {_shown(value)}.")
    return value


def _amount(said: Any, name: str, *, least: float) -> float | None:
    value = _optional(said, name, (int, float))
    if value is None:
        return None
    if not (isinstance(value, int) or isfinite(value)) or not least <= value <= MOST:
        raise Malformed(f"{name!r} must be between {least:g} and {MOST:g}, not {_shown(value)}.")
    return float(value)


def _shown(value: Any) -> str:
    """A value in a message. Python refuses to write out integers of very many digits."""
    return "a number of very many digits" if isinstance(value, int) and abs(value) > 10**100 else f"{value!r:.100}"


def _name(said: Any, name: str) -> str:
    text = _text(said, name, LONGEST_NAME)
    if not text:
        raise Malformed(f"{name!r} is missing.")
    return text


def _text(said: Any, name: str, longest: int) -> str:
    return _line(_optional(said, name, str) or "", name, longest)


def _names(said: Any, name: str) -> list[str] | None:
    value = _optional(said, name, list)
    if value is None:
        return None
    if not all(isinstance(each, str) for each in list_of(value)):
        raise Malformed(f"{name!r} must be a list of texts.")
    return [_line(each, name, LONGEST_NAME) for each in value]


def _line(text: str, name: str, longest: int) -> str:
    """A text that databases and logs can hold."""
    if len(text) > longest:
        raise Malformed(f"{name!r} may have {longest} characters, not {len(text)}.")
    if not text.isprintable():  # neither are NUL, line breaks and halves of surrogate pairs
        raise Malformed(f"{name!r} cannot be {text!r:.100}: some of its characters cannot be printed.")
    return text


def _message(text: str) -> str:
    """What a worker tells people, with U+FFFD for what no database holds: it may quote anything that a program said."""
    whole = (
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
    return whole if len(whole) <= LONGEST_MESSAGE else f"{whole[: LONGEST_MESSAGE - 1]}…"


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Malformed(f"{text!r:.100} is no UUID.") from None


def _reason(text: str) -> Reason:
    try:
        return Reason(text)
    except ValueError:
        raise Malformed(f"{text!r:.100} is no reason.") from None


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
        raise Malformed(f"{text!r:.100} lacks its time zone.")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise Malformed(f"{text!r:.100} is no time that a calendar has.") from None
