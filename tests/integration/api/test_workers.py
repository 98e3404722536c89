"""workers/, workers/{name}/ and workers/{name}/drain/."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance, Worker
from saltant.workers import Announcement
from tests.integration.conftest import Cast, Client, World

PATH = "/api/workers/"
KEYS = [
    "name",
    "user",
    "state",
    "host",
    "version",
    "queues",
    "kinds",
    "slots",
    "cpus",
    "memory",
    "gpus",
    "running",
    "datetime_announced",
    "datetime_heartbeat",
]


def announce(name: str, **more: Any) -> Worker:
    """A worker that has just been started."""
    services.announce(Announcement(worker=name, kinds=[Kind.EXECUTABLE], slots=2, **more), [])
    return Worker.objects.get(name=name)


def names(client: Client, **query: Any) -> list[str]:
    """The names in the list that `query` gives."""
    answer = client.get2(PATH, query)
    assert answer.status_code == 200, answer.content
    return [each["name"] for each in answer.json()["results"]]


def test_all_that_is_told(owner: Client, world: World) -> None:
    worker = announce(
        "node", host="node.example.org", version="1.2", queues=["queue"], cpus=4, memory=2**33, gpus=["A100", "ü"]
    )
    body = owner.get2(f"{PATH}node/").json()
    assert list(body) == KEYS
    assert owner.get2(PATH).json()["results"] == [body]
    assert owner.get(f"{PATH}node").json() == body, "a path that version 1 does not have needs no header"
    stamp = "%Y-%m-%dT%H:%M:%S.%fZ"
    assert body == {
        "name": "node",
        "user": None,
        "state": "online",
        "host": "node.example.org",
        "version": "1.2",
        "queues": ["queue"],
        "kinds": ["executable"],
        "slots": 2,
        "cpus": 4.0,
        "memory": 2**33,
        "gpus": ["A100", "ü"],
        "running": [],
        "datetime_announced": worker.datetime_announced.strftime(stamp),
        "datetime_heartbeat": worker.datetime_heartbeat.strftime(stamp),
    }
    announce("every")
    assert owner.get2(f"{PATH}every/").json()["queues"] is None


def test_what_it_runs(owner: Client, world: World, django_assert_num_queries: Any) -> None:
    snapshot = {"command_to_run": "true"}
    for name in ("node", "other"):
        announce(name)
    world.other_queue.private = True
    world.other_queue.save()
    mine = [
        world.make(state="published", snapshot=snapshot, name='a "name"'),
        world.make(state="published", snapshot=snapshot, name="secret", task_queue=world.other_queue),
    ]
    elsewhere = world.make(state="published", snapshot=snapshot)
    for worker, instances in (("node", mine), ("other", [elsewhere])):
        for each in instances:
            ticket = Ticket(Attempt(each.uuid, 1), each.task_queue.name, Kind.EXECUTABLE)
            assert services.claim(ticket, worker) is not None
    running = owner.get2(f"{PATH}node/").json()["running"]
    assert [(each["uuid"], each["name"], each["attempt"]) for each in running] == [
        (str(mine[0].uuid), 'a "name"', 1),
        (str(mine[1].uuid), None, 1),
    ]
    assert [list(each) for each in running] == [["uuid", "name", "attempt", "since"]] * 2
    attempts = owner.get2(f"/api/executabletaskinstances/{mine[0].uuid}/attempts/").json()
    assert running[0]["since"] == attempts[0]["datetime_claimed"]
    with django_assert_num_queries(4):  # the key, the count, the workers, what all of them run
        assert [len(each["running"]) for each in owner.get2(PATH).json()["results"]] == [2, 1]
    assert services.finish(Attempt(mine[0].uuid, 1), "node", End(Reason.EXITED, exit_code=0))
    assert len(owner.get2(f"{PATH}node/").json()["running"]) == 1


def test_states(owner: Client, world: World, settings: Any) -> None:
    long_ago = timezone.now() - timedelta(seconds=settings.SALTANT.lease + 1)
    expected = {
        "asked": "draining",
        "gone": "stopped",
        "leaving": "draining",
        "lost": "lost",
        "lost-leaving": "lost",
        "up": "online",
    }
    for name in expected:
        announce(name)
    Worker.objects.filter(name="asked").update(drain=True)
    services.leave("leaving", draining=True)
    services.leave("gone")
    Worker.objects.filter(name__startswith="lost").update(datetime_heartbeat=long_ago)
    Worker.objects.filter(name="lost-leaving").update(draining=True)
    listed = owner.get2(PATH).json()["results"]
    assert {each["name"]: each["state"] for each in listed} == expected
    assert {each: owner.get2(f"{PATH}{each}/").json()["state"] for each in expected} == expected
    for state in set(expected.values()):
        assert names(owner, state=state) == [name for name, each in expected.items() if each == state]
    answer = owner.get2(PATH, {"state": "asleep"})
    assert (answer.status_code, list(answer.json())) == (400, ["state"])
    announce("gone")
    assert owner.get2(f"{PATH}gone/").json()["state"] == "online", "it was started again"


def test_filters_and_paging(owner: Client, world: World) -> None:
    announce("a", queues=["cpu", "gpu"], host="h1")
    announce("b", queues=["gpu2", 'q"x'], host="h2")
    announce("c")
    announce("ä", queues=["größe"])
    assert names(owner) == ["a", "b", "c", "ä"]
    assert names(owner, queue="gpu") == ["a", "c"]
    assert names(owner, queue="gpu2") == ["b", "c"]
    assert names(owner, queue="größe") == ["c", "ä"]
    assert names(owner, queue="gp") == ["c"]
    assert names(owner, queue='", "') == ["c"]
    assert names(owner, queue="") == ["a", "b", "c", "ä"]
    assert names(owner, host="h1") == ["a"]
    assert names(owner, name__in="a,c", queue="cpu") == ["a", "c"]
    assert names(owner, name__startswith="ä") == ["ä"]
    assert names(owner, datetime_heartbeat__lt="2020-01-01T00:00:00Z") == []
    page = owner.get2(PATH, {"page_size": 3, "page": 2}).json()
    assert (page["count"], [each["name"] for each in page["results"]]) == (4, ["ä"])
    answer = owner.get2(PATH, {"colour": "red"})
    assert (answer.status_code, answer.json()) == (400, {"colour": ["There is no such filter."]})


@pytest.mark.parametrize("name", ["none", "Node", "%00", "%FF", "x" * 5000, "node%20"])
def test_none(cast: Cast, name: str) -> None:
    announce("node")
    assert cast.admin.get2(f"{PATH}{name}/").status_code == 404
    assert cast.admin.post(f"{PATH}{name}/drain/").status_code == 404


def test_draining(cast: Cast, world: World) -> None:
    announce("node")
    Worker.objects.update(user=world.users["stranger"])
    assert cast.owner.post(f"{PATH}node/drain/").status_code == 403
    answer = cast.stranger.post(f"{PATH}node/drain/")
    assert (answer.status_code, answer.json()["state"]) == (202, "draining")
    assert services.heartbeat("node", {}).drain
    assert cast.admin.post(f"{PATH}node/drain").status_code == 202
    [entry] = AuditEntry.objects.filter(action="drain")
    assert (entry.actor, entry.object_kind, entry.object_name) == ("stranger", "worker", "node")


def test_a_worker_of_nobody_is_the_admins_to_drain(cast: Cast) -> None:
    announce("up")
    assert cast.owner.post(f"{PATH}up/drain/").status_code == 403
    assert cast.admin.post(f"{PATH}up/drain/").status_code == 202


def test_one_that_has_stopped_stays_as_it_is(cast: Cast) -> None:
    announce("node")
    services.leave("node")
    answer = cast.admin.post(f"{PATH}node/drain/")
    assert (answer.status_code, answer.json()["state"]) == (202, "stopped")
    assert not AuditEntry.objects.filter(action="drain").exists()
    announce("node")
    assert not services.heartbeat("node", {}).drain


def test_an_owner_who_goes_leaves_the_worker(cast: Cast, world: World) -> None:
    announce("node")
    Worker.objects.update(user=world.users["stranger"])
    assert cast.owner.get2(f"{PATH}node/").json()["user"] == "stranger"
    world.users["stranger"].delete()
    assert cast.owner.get2(f"{PATH}node/").json()["user"] is None
    assert TaskInstance.objects.count() == 2
