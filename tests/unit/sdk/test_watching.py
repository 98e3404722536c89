"""Watching instances: a stream that has no end, through connections that have one."""

import json
from itertools import islice
from typing import Any

import pytest

from saltant import Client, _patience, exceptions
from saltant.models._watching import REMEMBERED
from tests.unit.sdk.conftest import Answer, Scripted, instance

STREAM = {"Content-Type": "text/event-stream"}


def change(number: int, **fields: Any) -> bytes:
    """An event."""
    body = {"task_class": "executable", "attempt": 1, **instance(name=str(number), **fields)}
    return f"event: change\nid: 2026-01-01T00:00:{number:02}.000000Z\ndata: {json.dumps(body)}\n\n".encode()


def uuid(number: int) -> str:
    """A UUID."""
    return f"0b0c84f5-3d7d-4a8d-9f2a-{number:012}"


def test_changes_come_once_through_broken_connections(server: Scripted, client_2: Client) -> None:
    one, two = change(1, uuid=uuid(1)), change(2, uuid=uuid(1), state="successful")
    three = change(3, uuid=uuid(2), state="published", attempt=2)
    server.script = [
        Answer(headers=STREAM, pieces=[b": saltant\n\n", one[:50], one[50:], two[:60]], fault="cut"),
        Answer("busy", 503),
        Answer(headers=STREAM, pieces=[one, two, two]),
        Answer(headers=STREAM, pieces=[two, three, change(4, uuid=uuid(2), state="published", attempt=1)]),
        Answer(headers=STREAM, pieces=[]),
    ]
    with client_2.executable_task_instances.watch({"task_queue": 1}) as changes:
        assert len(server.requests) == 1, "it listens before the first look at it"
        seen = [(each.name, each.state, each.attempt) for each in islice(changes, 4)]
    assert seen == [("1", "running", 1), ("2", "successful", 1), ("3", "published", 2), ("4", "published", 1)]
    assert all(request.path == "/api/events/" for request in server.requests)
    assert all(request.query == {"task_queue": "1", "task_class": "executable"} for request in server.requests)
    ids = [request.headers.get("last-event-id") for request in server.requests]
    assert ids[:4] == [None, *["2026-01-01T00:00:01.000000Z"] * 2, "2026-01-01T00:00:02.000000Z"]


def test_what_changes_before_the_first_event_is_not_missed(server: Scripted, client_2: Client) -> None:
    moment = {"Date": "Thu, 01 Jan 2026 00:00:07 GMT"}

    def broken(request: Any) -> Answer:
        if len(server.requests) == 1:
            return Answer(headers=STREAM | moment, pieces=[b": saltant\n\n"])
        return Answer(headers=STREAM, pieces=[change(9)])

    server.decide = broken
    assert next(client_2.executable_task_instances.watch()).name == "9"
    assert server.requests[1].headers["last-event-id"].endswith(".000000Z")


def test_closing_it(server: Scripted, client_2: Client) -> None:
    server.script = [Answer(headers=STREAM, pieces=[change(1)], fault="cut")]
    changes = client_2.executable_task_instances.watch()
    assert next(changes).name == "1"
    changes.close()
    assert list(changes) == []
    never_looked_at = client_2.executable_task_instances.watch()
    never_looked_at.close()
    assert list(never_looked_at) == []
    assert len(server.requests) == 2


def test_filters_that_nothing_matches_or_that_make_no_sense(server: Scripted, client_2: Client) -> None:
    assert list(client_2.executable_task_instances.watch({"state__in": []})) == []
    with pytest.raises(ValueError, match="one value"):
        client_2.executable_task_instances.watch({"state": ["a"]})
    assert not server.requests
    server.say({"nonsense": ["There is no such filter."]}, 400)
    with pytest.raises(exceptions.BadRequest, match="no such filter"):
        client_2.container_task_instances.watch({"nonsense": 1})


def test_it_ends_with_the_key_and_with_patience(
    server: Scripted, client_2: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script = [Answer(headers=STREAM, pieces=[change(1)]), Answer({"detail": "Invalid token."}, 401)]
    changes = client_2.executable_task_instances.watch()
    next(changes)
    with pytest.raises(exceptions.AuthenticationError):
        next(changes)
    monkeypatch.setattr(_patience, "PATIENCE_SECONDS", 0.01)
    server.script = [Answer(headers=STREAM, pieces=[change(1)]), Answer(fault="reset")]
    changes = client_2.executable_task_instances.watch()
    next(changes)
    with pytest.raises(exceptions.ConnectionFailed):
        next(changes)


@pytest.mark.parametrize(
    "data", ["nonsense", "[]", "{}", '{"uuid": "x", "state": "running", "task_class": "executable"}']
)
def test_what_is_no_change(server: Scripted, client_2: Client, data: str) -> None:
    server.script = [Answer(headers=STREAM, pieces=[f"event: change\ndata: {data}\n\n".encode()])]
    with pytest.raises(exceptions.UnexpectedResponse):
        next(client_2.executable_task_instances.watch())


def test_it_remembers_no_more_than_it_needs(server: Scripted, client_2: Client) -> None:
    many = REMEMBERED + 500
    events = (change(number % 60, uuid=uuid(number)) for number in range(many))
    server.script = [Answer(headers=STREAM, pieces=events)]
    with client_2.executable_task_instances.watch() as changes:
        assert sum(1 for _ in islice(changes, many)) == many
        assert len(changes._known) == REMEMBERED
