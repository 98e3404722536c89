"""Queues that are renamed while workers serve them."""

from typing import Any

import pytest

from saltant import protocol
from saltant.engine.embedded import EmbeddedEngine
from saltant.jobs import Kind
from saltant.server.accounts.models import Role
from saltant.server.accounts.tokens import create_token
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import dispatch, services
from saltant.server.tasks.models import TaskInstance, TaskQueue, Worker
from tests.integration.api.test_worker_endpoints import NAME, announcement, make, say
from tests.integration.conftest import V2, Cast, Client, World


def rename(world: World, client: Client, name: str, **extra: Any) -> Any:
    answer = client.json("PATCH", f"/api/taskqueues/{world.queue.pk}/", {"name": name}, **extra)
    world.queue.refresh_from_db()
    return answer


def lanes(client: Client, **said: Any) -> Any:
    answer = say(client, "announce", announcement(**said))
    assert answer.status_code == 200, answer.content
    return answer.json()["lanes"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_worker_from_before_goes_on(cast: Cast, world: World, version: str) -> None:
    engine = EmbeddedEngine()
    dispatch.use(engine)
    try:
        assert lanes(cast.worker) == ["queue"]
        TaskInstance.objects.all().delete()
        waiting = make(world)
        extra = {"HTTP_ACCEPT": V2} if version == "2" else {}
        assert rename(world, cast.queue_owner, "renamed", **extra).json()["name"] == "renamed"
        [entry] = AuditEntry.objects.filter(object_kind="task queue")
        assert entry.details == {"name": ["queue", "renamed"]}
        assert Worker.objects.get(name=NAME).queues == ["renamed"]
        assert cast.owner.get2("/api/workers/", {"queue": "renamed"}).json()["count"] == 1
        shown = cast.owner.get2(f"/api/executabletaskinstances/{waiting.uuid}/").json()
        assert shown["waiting"] == "It waits for a free slot on a worker."
        # What is sent now comes where it listens, and it gets what it asks for.
        assert dispatch.publish_waiting() == 1
        ticket = engine.take(["queue"], [Kind.EXECUTABLE], timeout=0)
        assert ticket is not None
        claim = {"worker": NAME, "tickets": [protocol.ticket_to_json(ticket)]}
        assert say(cast.worker, "claim", claim).json()["jobs"][0]["attempt"]["uuid"] == str(ticket.attempt.uuid)
        # It says itself again, as it was started.
        assert lanes(cast.worker, lanes=["queue"], holding=None) == ["queue"]
        assert Worker.objects.get(name=NAME).queues == ["renamed"]
    finally:
        dispatch.use(None)


def test_workers_are_started_with_any_name_that_it_had(cast: Cast, world: World) -> None:
    rename(world, cast.queue_owner, "second")
    rename(world, cast.queue_owner, "third")
    for name in ("queue", "second", "third"):
        assert lanes(cast.worker, queues=[name]) == ["queue"]
        assert Worker.objects.get(name=NAME).queues == ["third"]
    assert cast.worker.get("/api/worker/").json()["queues"] == ["third"]
    refused = say(cast.worker, "announce", announcement(queues=["fourth"]))
    assert (refused.status_code, "'fourth'" in refused.json()["detail"]) == (403, True)


def test_another_queue_takes_the_name(cast: Cast, world: World) -> None:
    assert lanes(cast.worker) == ["queue"]
    rename(world, cast.queue_owner, "old")
    made = cast.admin.json("POST", "/api/taskqueues/", {"name": "queue"})
    assert made.status_code == 201
    new = TaskQueue.objects.get(pk=made.json()["id"])
    assert (new.lane, world.queue.lane) == ("queue.1", "queue")
    # Who was told its lane stays with the queue that it was started for; who comes now means the new one.
    assert lanes(cast.worker, lanes=["queue"], holding=None) == ["queue"]
    assert Worker.objects.get(name=NAME).queues == ["old"]
    assert say(cast.worker, "announce", announcement()).status_code == 403, "its token is not for the new one"
    both = Client(create_token(world.users["admin"], Role.WORKER, [world.queue, new])[1])
    assert lanes(both) == ["queue.1"]
    assert lanes(both, queues=["old", "queue"]) == ["queue", "queue.1"]
    assert rename(world, cast.queue_owner, "queue").status_code == 400
    # Their names are swapped.
    rename(world, cast.queue_owner, "between")
    assert cast.admin.json("PATCH", f"/api/taskqueues/{new.pk}/", {"name": "old"}).status_code == 200
    assert rename(world, cast.queue_owner, "queue").status_code == 200
    assert lanes(both, queues=["old", "queue"]) == ["queue.1", "queue"]


def test_a_lane_never_told_is_nobodys(cast: Cast, world: World) -> None:
    answer = say(cast.worker, "announce", announcement(lanes=["other"]))
    assert answer.status_code == 403, "its token is for another queue"
    assert say(cast.worker, "announce", announcement(lanes=["none"])).status_code == 403
    assert say(cast.worker, "announce", announcement(lanes="queue")).status_code == 400


def test_the_embedded_worker_serves_what_it_was_started_for(world: World) -> None:
    said = protocol.announcement_from_json(announcement(queues=["queue", "not there yet"]))
    assert services.announce(said, []) == ["not there yet", "queue"]
    services.rename_queue(world.queue, "renamed")
    assert services.announce(said, []) == ["not there yet", "queue"]
    assert Worker.objects.get(name=NAME).queues == ["not there yet", "renamed"]
    everything = protocol.announcement_from_json(announcement(queues=None))
    assert services.announce(everything, []) is None
    assert Worker.objects.get(name=NAME).queues is None


def test_a_deleted_queue_gives_its_lane_back(cast: Cast, world: World) -> None:
    rename(world, cast.admin, "renamed")
    world.queue.instances.all().delete()
    services.delete(world.queue, by=world.users["admin"])
    assert TaskQueue.objects.create(name="queue").lane == "queue"
