"""Workers and limits of version 2, as a client tells them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from saltant import Client, UnsupportedByServer, exceptions
from saltant.models.worker import RunningInstance
from tests.unit.sdk.conftest import Scripted, page, queue, quick_client

MOMENT = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def worker(**fields: Any) -> dict[str, Any]:
    """The body of a worker."""
    return {
        "name": "node7",
        "user": "ada",
        "state": "online",
        "host": "node7.example.org",
        "version": "1.2",
        "queues": None,
        "kinds": ["executable"],
        "slots": 4,
        "cpus": 8.0,
        "memory": 2**34,
        "gpus": ["A100"],
        "running": [{"uuid": "u", "name": None, "attempt": 2, "since": "2026-05-06T07:08:09.123456Z", "news": 1}],
        "datetime_announced": "2026-05-06T07:08:09.123456Z",
        "datetime_heartbeat": "2026-05-06T07:08:09.123456Z",
        **fields,
    }


@pytest.fixture
def client(server: Scripted, client: Client) -> Client:
    """One that knows already that the server speaks version 2."""
    server.say(page(), Saltant_Version="2")
    client.users.list({"page_size": 1})
    server.script.clear()
    return client


def test_a_worker(server: Scripted, client: Client) -> None:
    server.say(worker(colour="red"), Saltant_Version="2")
    found = client.workers.get("node7")
    assert server.requests[-1].path == "/api/workers/node7/"
    assert repr(found) == "Worker(name='node7', state='online')"
    assert (found.user, found.host, found.queues, found.slots) == ("ada", "node7.example.org", None, 4)
    assert (found.datetime_announced, found.datetime_heartbeat) == (MOMENT, MOMENT)
    assert found.running == [RunningInstance("u", None, 2, MOMENT)]
    assert found.extra == {"colour": "red"}
    assert found.sync() is found


def test_lists(server: Scripted, client: Client) -> None:
    server.say(page(worker(), worker(name="ü/1")), Saltant_Version="2")
    assert [each.name for each in client.workers.list({"state": "online", "queue": "gpu"})] == ["node7", "ü/1"]
    assert server.requests[-1].query == {"state": "online", "queue": "gpu", "page_size": "500", "cursor": ""}
    assert {each.name for each in client.workers.iterate()} == {"node7", "ü/1"}


def test_draining(server: Scripted, client: Client) -> None:
    server.say(worker(), Saltant_Version="2")
    server.say(worker(state="draining"), 202, Saltant_Version="2")
    found = client.workers.get("node7")
    assert found.drain() is found
    assert found.state == "draining"
    assert (server.requests[-1].method, server.requests[-1].path) == ("POST", "/api/workers/node7/drain/")


@pytest.mark.parametrize(
    "broken", [{"running": [{}]}, {"running": [{**worker()["running"][0], "since": 1}]}, {"datetime_heartbeat": "x"}]
)
def test_data_of_something_else(server: Scripted, client: Client, broken: dict[str, Any]) -> None:
    server.say(worker(**broken), Saltant_Version="2")
    with pytest.raises(exceptions.UnexpectedResponse, match="no Worker"):
        client.workers.get("node7")


def test_a_server_of_version_1_has_none_of_this(server: Scripted) -> None:
    server.say(page())
    client = quick_client(server.url)
    for act in (
        lambda: client.workers.get("node7"),
        lambda: client.workers.list(),
        lambda: client.workers.iterate(),
        lambda: client.workers.drain("node7"),
        lambda: client.users.limit("ada", 3),
        lambda: client.task_queues.create("q", max_running=3),
        lambda: client.task_queues.patch(1, max_running=None),
        lambda: client.executable_task_instances.create(1, 1, priority=9),
    ):
        with pytest.raises(UnsupportedByServer, match="speaks version 1"):
            act()
    assert {request.path for request in server.requests} == {"/api/users/"}


def test_limits_of_queues_and_users(server: Scripted, client: Client) -> None:
    server.say(queue(paused=False, max_running=3), Saltant_Version="2")
    found = client.task_queues.get(1)
    assert found.max_running == 3
    client.task_queues.patch(1, max_running=None)
    assert server.requests[-1].body == {"max_running": None}
    client.task_queues.patch(1, description="d")
    assert server.requests[-1].body == {"description": "d"}
    found.max_running = None
    found.put()
    assert server.requests[-1].body["max_running"] is None
    server.script[:] = []
    server.say({"username": "ada", "email": "", "max_running": 4}, Saltant_Version="2")
    user = client.users.get("ada")
    assert user.max_running == 4
    assert user.limit(4) is user
    assert (server.requests[-1].method, server.requests[-1].body) == ("PATCH", {"max_running": 4})
