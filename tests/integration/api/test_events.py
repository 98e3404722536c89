"""events/: what the stream tells, look by look."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from saltant.server.api import event_views
from saltant.server.hub.board import WATCH, Board, Watch
from saltant.server.tasks.changes import Change
from saltant.server.tasks.models import TaskInstance
from saltant.states import State
from tests.integration.conftest import Client, World

PATH = "/api/events/"


class Stream:
    """One client's stream, as the hub makes it."""

    def __init__(self, client: Client, query: str = "", **extra: str) -> None:
        self.client, self.query, self.extra = client, query, extra
        self.watch = Watch(Board())

    def ask(self) -> Any:
        """One look."""
        self.watch.has_more = False
        return self.client.get(f"{PATH}{self.query}", **self.extra, **{WATCH: self.watch})

    def look(self) -> list[dict[str, Any]]:
        """What one look tells."""
        answer = self.ask()
        assert answer.status_code == 200, answer.content
        assert answer["Content-Type"] == "text/event-stream"
        return [event(text) for text in answer.content.decode().split("\n\n")[:-1]]

    def all(self) -> list[dict[str, Any]]:
        """What there is to tell by now."""
        found = self.look()
        while self.watch.has_more:
            found += self.look()
        return found


def event(text: str) -> dict[str, Any]:
    """The data of an event, and its id."""
    kind, id_, data = text.split("\n")
    assert kind == "event: change"
    return {**json.loads(data.removeprefix("data: ")), "id": id_.removeprefix("id: ")}


def move(instance: TaskInstance, state: State, *, at: datetime | None = None, attempt: int = 1) -> None:
    """Change an instance's state."""
    TaskInstance.objects.filter(pk=instance.pk).update(
        state=state, datetime_changed=at or timezone.now(), attempt=attempt
    )


def names(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What changed, and how."""
    return [(each["name"], each["state"]) for each in found]


def test_it_begins_with_what_changes_from_now_on(owner: Client, world: World) -> None:
    stream = Stream(owner)
    assert stream.look() == []
    assert stream.watch.kind is Change.MOVED
    move(world.instance, State.RUNNING)
    [told] = stream.look()
    body = owner.get2(f"/api/executabletaskinstances/{world.instance.uuid}/").json()
    assert told == {"task_class": "executable", **body, "id": body["datetime_changed"]}
    assert stream.look() == []


def test_each_state_and_attempt_once(owner: Client, world: World) -> None:
    stream = Stream(owner)
    stream.look()
    for state, attempt in ((State.RUNNING, 1), (State.PUBLISHED, 2), (State.RUNNING, 2), (State.FAILED, 2)):
        move(world.instance, state, attempt=attempt)
        assert names(stream.all()) == [("first", state)]
        assert stream.all() == []


def test_a_change_that_is_committed_late_is_told(owner: Client, world: World) -> None:
    stream = Stream(owner)
    stream.look()
    late = timezone.now()
    move(world.container_instance, State.RUNNING, at=late + timedelta(seconds=3))
    [newest] = stream.look()
    move(world.instance, State.RUNNING, at=late)
    [told] = stream.look()
    assert told["name"] == "first"
    assert told["id"] == newest["id"]  # whoever comes back with it is told what is newer
    assert stream.look() == []


def test_a_client_comes_back(owner: Client, world: World) -> None:
    long_ago = timezone.now() - timedelta(days=2)
    move(world.instance, State.RUNNING, at=long_ago)
    move(world.container_instance, State.FAILED, at=long_ago + timedelta(minutes=1))

    def back(at: datetime) -> list[tuple[str, str]]:
        last = at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
        return names(Stream(owner, HTTP_LAST_EVENT_ID=last).all())

    both = [("first", "running"), ("boxed", "failed")]
    assert back(long_ago - timedelta(hours=1)) == both
    assert back(long_ago) == both  # at least once
    assert back(long_ago + timedelta(seconds=30)) == both[1:]
    assert back(timezone.now()) == []
    assert back(datetime(1, 1, 1, tzinfo=UTC)) == both


def test_an_id_from_the_future_is_now(owner: Client, world: World) -> None:
    stream = Stream(owner, HTTP_LAST_EVENT_ID="9999-12-31T23:59:59.999999Z")
    stream.look()
    move(world.instance, State.RUNNING)
    assert ("first", "running") in names(stream.look())


def test_many_changes_at_one_moment(owner: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_views, "MOST", 3)
    monkeypatch.setattr(event_views, "LOOKED_AT", 5)
    stream = Stream(owner, "?name__startswith=many")
    stream.look()
    now = timezone.now()
    made = [world.make(name=f"many-{number}", datetime_changed=now) for number in range(20)]
    assert len(stream.look()) == 3
    assert stream.watch.has_more
    assert len(stream.all()) == 17
    assert stream.all() == []
    for each in made:
        move(each, State.RUNNING)
    assert sorted(names(stream.all())) == sorted((each.name, "running") for each in made)


def test_much_that_was_there_before_is_not_told(owner: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_views, "MOST", 3)
    for number in range(10):
        world.make(name=str(number))
    stream = Stream(owner)
    assert stream.all() == []
    assert stream.all() == []


def test_filters_are_those_of_lists(owner: Client, world: World) -> None:
    queries = {
        "?task_class=container": ["boxed"],
        "?task_class=executable": ["first"],
        "?state=running": ["first"],
        "?state__in=failed,running&name__contains=ox": ["boxed"],
        f"?task_type={world.container.pk}": ["boxed"],
        "?user__username=stranger": [],
        "?name__regex=^f": ["first"],
    }
    streams = {query: Stream(owner, query) for query in queries}
    for stream in streams.values():
        stream.look()
    move(world.instance, State.RUNNING)
    move(world.container_instance, State.FAILED)
    assert {query: [name for name, _ in names(stream.all())] for query, stream in streams.items()} == queries


@pytest.mark.parametrize("query", ["?nonsense=1", "?page=1", "?state=nonsense", "?task_class=x", "?name__regex=("])
def test_a_filter_that_is_none(owner: Client, query: str) -> None:
    answer = Stream(owner, query).ask()
    assert answer.status_code == 400
    assert list(answer.json()) == [query[1:].partition("=")[0]]


@pytest.mark.parametrize("last", ["", "17", "2030-02-31T00:00:00.000000Z", "x" * 1000, "2030-01-01"])
def test_an_id_that_is_none(owner: Client, last: str) -> None:
    answer = Stream(owner, HTTP_LAST_EVENT_ID=last).ask()
    assert answer.status_code == 400
    assert list(answer.json()) == ["Last-Event-ID"]


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "application/json; version=2", "application/json", ""])
def test_there_is_one_form_of_it(owner: Client, world: World, accept: str) -> None:
    stream = Stream(owner, HTTP_ACCEPT=accept)
    stream.look()
    move(world.instance, State.RUNNING)
    assert stream.look()[0]["attempt"] == 1


def test_what_was_told_long_ago_is_forgotten(owner: Client, world: World) -> None:
    stream = Stream(owner)
    stream.look()
    move(world.instance, State.RUNNING)
    stream.look()
    move(world.container_instance, State.RUNNING, at=timezone.now() + timedelta(hours=1))
    stream.look()
    assert {pk for pk, _, _ in stream.watch.state.told} == {world.container_instance.pk}
