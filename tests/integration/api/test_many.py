"""…taskinstances/many/, clone/ and terminate/: many at once, an answer for each."""

import json
from typing import Any
from uuid import uuid4

import pytest

from saltant.server.api import idempotency, many_views
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import parts
from saltant.server.tasks.models import KeptAnswer, TaskInstance, TaskQueue
from tests.integration.conftest import V2, Cast, Client, World

PATH = "/api/executabletaskinstances/"
MANY, CLONE, TERMINATE = (f"{PATH}{end}/" for end in ("many", "clone", "terminate"))
TEXT = {"text": "x"}


def job(world: World, **more: Any) -> dict[str, Any]:
    """What a single request says."""
    return {"task_type": world.executable.pk, "task_queue": world.queue.pk, "arguments": TEXT, **more}


def send(client: Client, *items: Any, **more: Any) -> Any:
    """Make many."""
    headers = {name: more.pop(name) for name in [*more] if name.startswith("HTTP_")}
    return client.json("POST", MANY, {"instances": items, **more}, **headers)


def body_of(answer: Any) -> Any:
    """The body of an answer, also of a long one."""
    return json.loads(answer.getvalue())


def test_each_is_made_as_by_itself(owner: Client, world: World) -> None:
    items = [
        job(world, name="a", priority=7),
        job(world),
        job(world, name="c", timeout=None, arguments=TEXT | {"z": 1}),
    ]
    answer = send(owner, *items)
    assert answer.status_code == 200
    made = [result["instance"] for result in answer.json()["results"]]
    for item, instance in zip(items, made, strict=True):
        single = owner.json("POST", PATH, item, HTTP_ACCEPT=V2).json()
        own = ("uuid", "datetime_created", "datetime_changed")
        assert {k: v for k, v in instance.items() if k not in own} == {k: v for k, v in single.items() if k not in own}
        assert list(instance) == list(single)
        assert instance == owner.get2(f"{PATH}{instance['uuid']}/").json()
    assert [each["name"] for each in made] == ["a", "", "c"]
    assert made[0]["arguments"] == {"text": "x", "language": "en"}


def wrong(world: World) -> list[Any]:
    """Bodies that a single request is refused for."""
    return [
        {},
        7,
        None,
        job(world, task_type=world.container.pk),
        job(world, task_type=True, task_queue="x"),
        job(world, task_queue=2**70),
        job(world, task_queue=world.other_queue.pk),
        job(world, arguments={}),
        job(world, arguments=[]),
        job(world, arguments={"text": "\0"}),
        job(world, name="x" * 201, timeout=-1, max_attempts=0),
    ]


def test_what_cannot_be_is_told_as_a_single_request_is(owner: Client, world: World) -> None:
    items = [each for bad in wrong(world) for each in (bad, job(world))]
    before = TaskInstance.objects.count()
    results = send(owner, *items).json()["results"]
    assert len(results) == len(items)
    for item, result in zip(items[::2], results[::2], strict=True):
        single = owner.json("POST", PATH, item, HTTP_ACCEPT=V2)
        assert result == {"errors": single.json(), "status": single.status_code}
    assert all("instance" in result for result in results[1::2])
    assert TaskInstance.objects.count() == before + len(items) // 2


def test_all_or_nothing(owner: Client, world: World) -> None:
    before = TaskInstance.objects.count()
    items = [job(world), {}, job(world), job(world, arguments={})]
    answer = send(owner, *items, all_or_nothing=True)
    assert answer.status_code == 400
    said = answer.json()
    assert said["detail"] == "Nothing was done, as 2 of 4 cannot be."
    assert [each["index"] for each in said["failed"]] == [1, 3]
    assert said["failed"][1]["errors"] == {"non_field_errors": ["Required arguments are missing: 'text'."]}
    assert TaskInstance.objects.count() == before
    assert send(owner, *items[::2], all_or_nothing=True).status_code == 200
    assert TaskInstance.objects.count() == before + 2


@pytest.mark.parametrize("path", [MANY, CLONE, TERMINATE])
@pytest.mark.parametrize("items", [None, [], {}, "x", 7, [None] * 10_001])
def test_a_list_that_is_none(owner: Client, path: str, items: Any) -> None:
    key = "instances" if path == MANY else "uuids"
    answer = owner.json("POST", path, {key: items})
    assert answer.status_code == 400
    assert list(answer.json()) == [key]
    assert owner.json("POST", path, []).status_code == 400
    assert owner.json("POST", path, {key: ["x"], "all_or_nothing": "x"}).json().keys() == {"all_or_nothing"}


def test_a_queue_that_is_somebody_elses_is_none(cast: Cast, world: World) -> None:
    TaskQueue.objects.update(private=True)
    [result] = send(cast.owner, job(world)).json()["results"]
    assert result["errors"] == {"task_queue": [f'Invalid pk "{world.queue.pk}" - object does not exist.']}
    assert "instance" in send(cast.queue_owner, job(world)).json()["results"][0]


def test_many_ask_the_database_as_often_as_few(owner: Client, world: World, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(16):
        assert len(send(owner, *[job(world)] * 200).json()["results"]) == 200
    with django_assert_max_num_queries(16):
        assert len(owner.json("POST", CLONE, {"uuids": [str(world.instance.uuid)] * 200}).json()["results"]) == 200


@pytest.mark.parametrize("longest", [64 * 1024, 10])
def test_the_same_request_makes_them_once(
    owner: Client, world: World, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LONGEST", longest)
    before = TaskInstance.objects.count()
    items = [job(world), {}, job(world)]
    first, again = (send(owner, *items, HTTP_IDEMPOTENCY_KEY="k", HTTP_ACCEPT=V2) for _ in range(2))
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert send(owner, *items[:2], HTTP_IDEMPOTENCY_KEY="k", HTTP_ACCEPT=V2).status_code == 422
    uuids = [str(world.instance.uuid), "x"]
    clones = [owner.json("POST", CLONE, {"uuids": uuids}, HTTP_IDEMPOTENCY_KEY="c") for _ in range(2)]
    assert clones[0].json() == clones[1].json()
    assert TaskInstance.objects.count() == before + 3
    uuid = first.json()["results"][0]["instance"]["uuid"]
    TaskInstance.objects.get(uuid=uuid).delete()
    if longest == 10:
        gone = send(owner, *items, HTTP_IDEMPOTENCY_KEY="k", HTTP_ACCEPT=V2).json()["results"][0]
        assert gone == {"errors": {"detail": "Not found."}, "status": 404}


def test_of_what_made_nothing_nothing_is_kept(owner: Client, world: World) -> None:
    send(owner, {}, HTTP_IDEMPOTENCY_KEY="k")
    send(owner, {}, job(world), all_or_nothing=True, HTTP_IDEMPOTENCY_KEY="k")
    assert not KeptAnswer.objects.exists()


def test_what_types_bring_is_bounded(owner: Client, world: World) -> None:
    world.executable.required_arguments_default_values = {"language": "x" * 100_000}
    world.executable.save()
    before = TaskInstance.objects.count()
    answer = send(owner, *[job(world)] * 1000)
    assert answer.status_code == 400
    assert "send fewer" in answer.json()["non_field_errors"][0]
    world.instance.arguments = {"text": "x" * 100_000}
    world.instance.save()
    answer = owner.json("POST", CLONE, {"uuids": [str(world.instance.uuid)] * 1000})
    assert (answer.status_code, list(answer.json())) == (400, ["non_field_errors"])
    assert TaskInstance.objects.count() == before


def test_clones(cast: Cast, world: World) -> None:
    second = world.make(name="second", arguments={"text": "b"}, priority=8)
    odd = [str(uuid4()), "x", str(world.container_instance.uuid)]
    uuids = [str(second.uuid), *odd, world.instance.uuid.hex, str(second.uuid)]
    answer = cast.stranger.json("POST", CLONE, {"uuids": uuids})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert results[1:4] == [{"errors": {"detail": "Not found."}, "status": 404}] * 3
    made = [results[at]["instance"] for at in (0, 4, 5)]
    assert [each["name"] for each in made] == ["second", "first", "second"]
    assert {each["user"] for each in made} == {"stranger"}
    assert made[0]["priority"] == 8
    assert made[0]["arguments"] == {"text": "b", "language": "en"}
    assert len({each["uuid"] for each in made}) == 3
    TaskQueue.objects.update(active=False)
    single = cast.stranger.post(f"{PATH}{second.uuid}/clone/")
    results = cast.stranger.json("POST", CLONE, {"uuids": uuids}).json()["results"]
    assert results[0] == results[5] == {"errors": single.json(), "status": 400}


def test_terminations(cast: Cast, world: World) -> None:
    waits, ran = world.make(state="published"), world.make(state="successful", user=world.users["stranger"])
    mine = [str(each.uuid) for each in (waits, world.instance, waits)]
    others = [str(ran.uuid), str(uuid4()), "x", str(world.container_instance.uuid)]
    answer = cast.stranger.json("POST", TERMINATE, {"uuids": mine + others})
    assert answer.status_code == 200
    refused = {"errors": {"detail": "You do not have permission to perform this action."}, "status": 403}
    gone = {"errors": {"detail": "Not found."}, "status": 404}
    results = answer.json()["results"]
    assert results[:3] == [refused] * 3
    assert results[3] == {"instance": cast.stranger.get2(f"{PATH}{ran.uuid}/").json()}
    assert results[3]["instance"]["state"] == "successful"
    assert results[4:] == [gone] * 3
    assert cast.owner.json("POST", TERMINATE, {"uuids": mine + others, "all_or_nothing": True}).status_code == 400
    assert not AuditEntry.objects.filter(action="terminate").exists()
    results = cast.owner.json("POST", TERMINATE, {"uuids": mine}).json()["results"]
    assert [each["instance"]["uuid"] for each in results] == mine
    assert {each["instance"]["state"] for each in results} == {"terminated"}
    assert results[0]["instance"]["cancelled_by"] == "owner"
    audited = AuditEntry.objects.filter(action="terminate", actor="owner")
    assert sorted(audited.values_list("object_id", flat=True)) == sorted(set(mine))


def test_a_long_answer_comes_in_pieces(owner: Client, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (many_views, parts):
        monkeypatch.setattr(module, "AT_ONCE", 2)
    uuids = [str(world.make().uuid) for _ in range(5)]
    answer = owner.json("POST", TERMINATE, {"uuids": [*uuids, "x"]})
    assert answer.streaming
    results = body_of(answer)["results"]
    assert [each["instance"]["uuid"] for each in results[:5]] == uuids
    assert {each["instance"]["state"] for each in results[:5]} == {"terminated"}
    assert results[5]["status"] == 404


def test_forms_and_paths_without_a_slash(owner: Client, world: World) -> None:
    answer = owner.form("POST", MANY.rstrip("/"), {"instances": json.dumps([job(world)]), "all_or_nothing": "True"})
    assert answer.json()["results"][0]["instance"]["reason"] is None, "no header is needed for what version 1 lacks"
    assert owner.get(f"{PATH}many/").status_code == 405
