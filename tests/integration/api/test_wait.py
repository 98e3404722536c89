"""Waiting for ends: the views, with and without the hub before them. The hub itself: `tests/acceptance`."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from saltant.server.api import wait_views
from saltant.server.hub.board import WATCH, Board, Watch
from saltant.server.tasks.changes import Change
from saltant.states import State
from tests.integration.conftest import V2, Cast, Client, World

PATH = "/api/executabletaskinstances/"
WAIT = "/api/wait/"


@pytest.fixture
def watch() -> Watch:
    """What the hub gives a view."""
    return Watch(Board())


def look(client: Client, world: World, watch: Watch, wait: object = 20, **extra: Any) -> Any:
    """The answer to the hub, for a client that waits for the world's instance."""
    path = f"{PATH}{world.instance.uuid}/?wait={wait}"
    return client.get(path, **{"HTTP_ACCEPT": V2, WATCH: watch} | extra)


def ask(client: Client, watch: Watch | None = None, **said: Any) -> Any:
    """The answer to one that waits for many."""
    given = [str(uuid) for uuid in said.pop("uuids")]
    return client.json("POST", WAIT, {"uuids": given, **said}, **({} if watch is None else {WATCH: watch}))


def end(world: World, *instances: Any) -> None:
    """Have instances ended, one a second."""
    for number, instance in enumerate(instances):
        instance.state, instance.datetime_finished = State.FAILED, timezone.now() + timedelta(seconds=number)
        instance.save()


def test_an_unfinished_one_keeps_its_client(owner: Client, world: World, watch: Watch) -> None:
    assert look(owner, world, watch).status_code == 200
    assert (watch.seconds, watch.kind, list(watch.uuids)) == (20.0, Change.ENDED, [world.instance.uuid.hex])
    assert watch.answer is not None
    assert watch.show is not None
    assert watch.answer() is None
    as_it_is = owner.get2(f"{PATH}{world.instance.uuid}/").json()
    others = [uuid4().hex, world.container_instance.uuid.hex]
    shown = watch.show([world.instance.uuid.hex, *others])
    assert {uuid: json.loads(body) for uuid, body in shown.items()} == {world.instance.uuid.hex: as_it_is}
    watch.is_last, watch.seconds = True, None
    assert look(owner, world, watch).json() == as_it_is
    assert watch.seconds is None
    end(world, world.instance)
    assert json.loads(watch.answer() or "") == owner.get2(f"{PATH}{world.instance.uuid}/").json()


def test_one_of_the_other_class_is_none(owner: Client, world: World, watch: Watch) -> None:
    path = f"{PATH}{world.container_instance.uuid}/?wait=20"
    assert owner.get(path, HTTP_ACCEPT=V2, **{WATCH: watch}).status_code == 404
    assert watch.seconds is None


def test_a_finished_one_does_not(owner: Client, world: World, watch: Watch) -> None:
    end(world, world.instance)
    assert look(owner, world, watch).json()["state"] == "failed"
    assert watch.seconds is None


@pytest.mark.parametrize("wait", ["", "x", "-1", "300.5", "nan", "1e9", "1_0", "true"])
def test_a_time_that_is_none(owner: Client, world: World, watch: Watch, wait: str) -> None:
    answer = look(owner, world, watch, wait)
    assert answer.status_code == 400
    assert answer.json() == {"wait": ["Must be a number of seconds from 0 to 300."]}
    assert watch.seconds is None


def test_no_time_is_a_look(owner: Client, world: World, watch: Watch) -> None:
    assert look(owner, world, watch, 0).status_code == 200
    assert watch.seconds is None


def test_version_1_ignores_it(owner: Client, world: World, watch: Watch) -> None:
    for wait in ("20", "nonsense"):
        answer = look(owner, world, watch, wait, HTTP_ACCEPT="application/json")
        assert answer.json() == owner.get(f"{PATH}{world.instance.uuid}/").json()
    assert (watch.seconds, watch.kind) == (None, None)


def test_who_may_not_come_in_does_not_wait(cast: Cast, world: World, watch: Watch) -> None:
    for role, status in (("nobody", 401), ("worker", 403)):
        assert look(cast[role], world, watch).status_code == status
        assert ask(cast[role], watch, uuids=[world.instance.uuid], wait=20).status_code == status
    assert owner_is_told(cast.owner, 404)
    assert watch.seconds is None


def owner_is_told(client: Client, status: int) -> bool:
    """Whether an instance that there is not gets that status, waited for or not."""
    answer = client.get(f"{PATH}{uuid4()}/?wait=20", HTTP_ACCEPT=V2, **{WATCH: Watch(Board())})
    return bool(answer.status_code == status)


@pytest.mark.parametrize("kind", ["any", "all"])
def test_many_that_have_not_ended(owner: Client, world: World, watch: Watch, kind: str) -> None:
    uuids = [world.instance.uuid, world.container_instance.uuid]
    assert ask(owner, watch, uuids=uuids, wait=5, **{"for": kind}).status_code == 200
    assert watch.seconds == 5.0
    assert set(watch.uuids) == {uuid.hex for uuid in uuids}
    assert watch.is_of_all == (kind == "all")
    watch.is_last = True
    answer = ask(owner, watch, uuids=uuids, wait=5, **{"for": kind}).json()
    assert answer == {"finished": [], "unfinished": 2, "more": 0, "unknown": []}


def test_any_of_many(owner: Client, world: World, watch: Watch) -> None:
    end(world, world.container_instance)
    uuids = [world.instance.uuid, world.container_instance.uuid]
    answer = ask(owner, watch, uuids=uuids, wait=5).json()
    assert watch.seconds is None
    body = owner.get2(f"/api/containertaskinstances/{world.container_instance.uuid}/").json()
    assert answer == {"finished": [{"task_class": "container", **body}], "unfinished": 1, "more": 0, "unknown": []}


def test_all_of_many(owner: Client, world: World, watch: Watch) -> None:
    end(world, world.container_instance)
    uuids = [world.instance.uuid, world.container_instance.uuid]
    ask(owner, watch, uuids=uuids, wait=5, **{"for": "all"})
    assert watch.seconds == 5.0
    watch.seconds = None
    end(world, world.instance, world.container_instance)
    answer = ask(owner, watch, uuids=uuids[::-1], wait=5, **{"for": "all"}).json()
    assert watch.seconds is None
    assert [each["uuid"] for each in answer["finished"]] == [str(uuid) for uuid in uuids]  # as they ended
    assert answer["unfinished"] == 0


def test_unknown_ones_are_named_and_waited_for_by_nobody(owner: Client, world: World, watch: Watch) -> None:
    unknown = uuid4()
    answer = ask(owner, watch, uuids=[unknown], wait=5, **{"for": "all"}).json()
    assert watch.seconds is None
    assert answer == {"finished": [], "unfinished": 0, "more": 0, "unknown": [str(unknown)]}


def test_one_that_is_named_twice_counts_once(owner: Client, world: World) -> None:
    uuid = world.instance.uuid
    assert ask(owner, uuids=[uuid, uuid.hex, uuid]).json()["unfinished"] == 1


def test_a_form(owner: Client, world: World) -> None:
    answer = owner.form("POST", WAIT, {"uuids": f'["{world.instance.uuid}"]', "for": "all", "wait": "0"})
    assert answer.json()["unfinished"] == 1


def test_no_more_ends_than_one_answer_tells(owner: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_views, "MOST_FINISHED", 1)
    end(world, world.instance, world.container_instance)
    answer = ask(owner, uuids=[world.container_instance.uuid, world.instance.uuid]).json()
    assert [each["uuid"] for each in answer["finished"]] == [str(world.instance.uuid)]
    assert answer["more"] == 1


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"uuids": []}, "uuids"),
        ({"uuids": "x"}, "uuids"),
        ({"uuids": ["x"]}, "uuids"),
        ({"uuids": [1]}, "uuids"),
        ({"uuids": [None]}, "uuids"),
        ({"uuids": ["0" * 32] * 10_001}, "uuids"),
        ({}, "uuids"),
        ({"uuids": ["0" * 32], "for": "some"}, "for"),
        ({"uuids": ["0" * 32], "wait": 301}, "wait"),
        ({"uuids": ["0" * 32], "wait": "soon"}, "wait"),
    ],
)
def test_what_cannot_be_waited_for(owner: Client, said: dict[str, Any], field: str) -> None:
    answer = owner.json("POST", WAIT, said)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
