"""The life of an instance as a timeline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from saltant.reasons import Reason
from saltant.server.tasks.models import TaskInstance
from saltant.server.web.words import MARKS, duration_text
from saltant.states import State


@dataclass(frozen=True)
class Event:
    """Something that happened, or goes on.

    Attributes:
        kind: a state, for colour and mark.
        when: the time; None: it goes on.
    """

    kind: str
    text: str
    when: datetime | str | None
    mark: str = ""


def timeline(instance: TaskInstance, body: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> list[Event]:
    """What happened to an instance, the first thing first."""
    events = list(_events(instance, body, attempts))
    return [Event(each.kind, each.text, each.when, each.mark or MARKS[each.kind]) for each in events]


def _events(instance: TaskInstance, body: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    by = f" by {body['user']}" if body["user"] else ""
    yield Event(State.CREATED, f"Created{by}", body["datetime_created"])
    for each in attempts:
        which = f"Attempt {each['number']}: " if len(attempts) > 1 or body["max_attempts"] > 1 else ""
        yield Event(State.PUBLISHED, sentence(f"{which}claimed by {each['worker']}"), each["datetime_claimed"], "→")
        if each["datetime_started"]:
            yield Event(State.RUNNING, sentence(f"{which}program started"), each["datetime_started"])
        if each["datetime_finished"] and each["number"] != body["attempt"]:
            yield Event(State.FAILED, sentence(f"{which}{why(each)}"), each["datetime_finished"])
    if instance.datetime_cancelled and body["state"] != State.TERMINATED:
        yield Event(
            State.TERMINATED, f"Terminated by {instance.cancelled_by}: its worker was told", instance.datetime_cancelled
        )
    state = State(body["state"])
    if state.is_finished:
        yield Event(state, f"{state.capitalize()}: {why(body)}", body["datetime_finished"])
    elif body["waiting"]:
        yield Event(State.PUBLISHED, body["waiting"], None)
    elif state is State.RUNNING:
        yield Event(State.RUNNING, "Runs", None)


def sentence(text: str) -> str:
    """A text with a capital letter before it.

    >>> sentence("claimed by GPU-1")
    'Claimed by GPU-1'
    """
    return text[:1].upper() + text[1:]


def why(ended: Mapping[str, Any]) -> str:
    """Why an instance or an attempt ended, in words."""
    if ended["message"]:
        return str(ended["message"])
    if ended["reason"] == Reason.EXITED and ended["exit_code"] is not None:
        return f"Its program ended by itself, with exit code {ended['exit_code']}."
    try:
        return Reason(ended["reason"] or "").sentence
    except ValueError:
        return "Nobody said why."


def used(body: Mapping[str, Any]) -> str:
    """How much of its time its processes kept a processor busy."""
    begun, ended = body["datetime_started"], body["datetime_finished"]
    if body["cpu_seconds"] is None or not begun or not ended:
        return ""
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    busy = f", {body['cpu_seconds'] / seconds:.0%} of one processor" if seconds > 0.1 else ""
    return f"{duration_text(body['cpu_seconds'])}{busy}"
