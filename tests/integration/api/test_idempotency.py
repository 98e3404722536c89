"""Idempotency-Key: a request that comes again makes nothing, and gets the first answer."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from saltant.server.api import idempotency
from saltant.server.tasks.models import KeptAnswer, TaskInstance, TaskQueue, TaskType
from saltant.server.tasks.services.kept_answers import remove_old_answers
from tests.integration.conftest import V2, Cast, Client, World

PATH = "/api/executabletaskinstances/"
TYPES = "/api/executabletasktypes/"
TYPE = {"name": "new", "command_to_run": "true"}
BOUND = 30.0


def send(client: Client, path: str, data: Any, key: str = "key-1", **extra: Any) -> Any:
    """A POST with a key."""
    return client.json("POST", path, data, **{"HTTP_IDEMPOTENCY_KEY": key, "HTTP_ACCEPT": V2} | extra)


def job(world: World, **more: Any) -> dict[str, Any]:
    """The body of a new instance."""
    return {"task_type": world.executable.pk, "task_queue": world.queue.pk, "arguments": {"text": "x"}, **more}


def test_the_same_request_makes_one(owner: Client, world: World) -> None:
    before = TaskInstance.objects.count()
    first, again = (send(owner, PATH, job(world)) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (first.get("Idempotent-Replayed"), again.get("Idempotent-Replayed")) == (None, "true")
    assert TaskInstance.objects.count() == before + 1
    assert send(owner, PATH.rstrip("/"), job(world)).content == first.content


def test_the_first_answer_though_the_world_went_on(owner: Client, world: World) -> None:
    first = send(owner, PATH, job(world))
    TaskInstance.objects.filter(uuid=first.json()["uuid"]).update(state="failed")
    TaskQueue.objects.update(active=False)
    assert send(owner, PATH, job(world)).content == first.content


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{TYPES}", TYPE),
        ("/api/containertasktypes/", TYPE | {"container_image": "i", "container_type": "docker"}),
        ("/api/taskqueues/", {"name": "new"}),
        ("/api/taskwhitelists/", {"name": "new"}),
        (PATH + "{instance}/clone/", {}),
    ],
)
def test_everything_that_is_made(owner: Client, world: World, path: str, body: dict[str, Any]) -> None:
    path = path.format(instance=world.instance.uuid)
    first, again = (send(owner, path, body) for _ in range(2))
    assert first.status_code == 201, first.content
    assert (again.status_code, again.content) == (201, first.content)
    if "clone" not in path:
        assert owner.json("POST", path, body).status_code == 400  # without a key the name is taken


def test_another_request_with_the_key(owner: Client, world: World) -> None:
    first = send(owner, PATH, job(world))
    others = [
        send(owner, PATH, job(world, name="other")),
        send(owner, TYPES, TYPE),
        send(owner, PATH, job(world), HTTP_ACCEPT="application/json"),
    ]
    assert {answer.status_code for answer in others} == {422}
    said = "This Idempotency-Key was used for another request: use a new one for each."
    assert others[0].json() == {"detail": said}
    assert send(owner, PATH, job(world)).content == first.content


def test_keys_are_each_users_own(cast: Cast, world: World) -> None:
    uuids = {send(cast[role], PATH, job(world)).json()["uuid"] for role in ("owner", "stranger", "admin")}
    assert len(uuids) == 3


def test_other_keys_make_others(owner: Client, world: World) -> None:
    uuids = {send(owner, PATH, job(world), key).json()["uuid"] for key in ("key-1", "key-2", "!~")}
    assert len(uuids) == 3


def test_what_was_refused_may_be_sent_again(owner: Client, world: World) -> None:
    world.whitelist.task_types.clear()
    assert send(owner, PATH, job(world)).status_code == 400
    assert not KeptAnswer.objects.exists()
    world.whitelist.task_types.add(world.executable)
    assert send(owner, PATH, job(world)).status_code == 201


def test_who_may_not_come_in_leaves_no_key(cast: Cast, world: World) -> None:
    for role, status in (("nobody", 401), ("worker", 403)):
        assert send(cast[role], PATH, job(world)).status_code == status
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 201, "a\x7f"])
def test_a_key_that_is_none(owner: Client, world: World, key: str) -> None:
    answer = send(owner, PATH, job(world), key)
    assert answer.status_code == 400
    assert answer.json() == {"Idempotency-Key": ["Must be 1 to 200 printable ASCII characters without spaces."]}


def test_a_form(owner: Client, world: World) -> None:
    said = {"task_type": world.executable.pk, "task_queue": world.queue.pk, "arguments": '{"text": ""}'}
    first, again = (owner.form("POST", PATH, said, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    assert first.status_code == 201
    assert first.content == again.content


def test_a_long_answer_is_made_anew(owner: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "LONGEST", 10)
    for path, body in ((PATH, job(world)), (TYPES, TYPE)):
        first, again = (send(owner, path, body, f"key for {path}".replace(" ", "-")) for _ in range(2))
        assert first.json() == again.json()
    assert not KeptAnswer.objects.exclude(body="").exists()


def test_old_ones_are_removed(owner: Client, world: World) -> None:
    first = send(owner, PATH, job(world))
    now = timezone.now()
    assert remove_old_answers(now + timedelta(hours=23)) == 0
    assert remove_old_answers(now + timedelta(hours=25)) == 1
    assert send(owner, PATH, job(world)).json()["uuid"] != first.json()["uuid"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads share no test database in memory")
@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one(cast: Cast, world: World) -> None:
    together, answers = threading.Barrier(4), []

    def run() -> None:
        try:
            connection.ensure_connection()
            together.wait(BOUND)
            answers.append(send(cast.owner, TYPES, TYPE))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.content for answer in answers}) == 1
    assert TaskType.objects.filter(name="new").count() == 1
