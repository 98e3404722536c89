"""Schedules of version 2, as a client tells them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from saltant import Client, UnexpectedResponse, UnsupportedByServer
from saltant.models.container_task_instance import ContainerTaskInstance
from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.unit.sdk.conftest import Scripted, instance, page

MOMENT = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def schedule(**fields: Any) -> dict[str, Any]:
    """The body of a schedule."""
    return {
        "id": 3,
        "user": "ada",
        "name": "nightly",
        "description": "",
        "datetime_created": "2026-05-06T07:08:09.123456Z",
        "task_class": "executable",
        "task_type": 1,
        "task_queue": 2,
        "arguments": {"a": 1},
        "instance_name": "",
        "labels": {},
        "limits": {},
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "overlap": "skip",
        "active": True,
        "next_time": "2026-05-06T07:08:09.123456Z",
        "last_time": None,
        "last_instance": None,
        "waiting_since": None,
        "message": "",
        **fields,
    }


@pytest.fixture
def client(server: Scripted, client: Client) -> Client:
    """One that knows already that the server speaks version 2."""
    server.say(page(), Saltant_Version="2")
    client.users.list({"page_size": 1})
    server.script.clear()
    return client


def test_a_schedule(server: Scripted, client: Client) -> None:
    server.say(schedule(colour="red"), Saltant_Version="2")
    found = client.schedules.get(3)
    assert server.requests[-1].path == "/api/schedules/3/"
    assert repr(found) == "Schedule(id=3, name='nightly', cron='30 2 * * *', timezone='Europe/Berlin')"
    assert (found.datetime_created, found.next_time, found.last_time) == (MOMENT, MOMENT, None)
    assert found.extra == {"colour": "red"}


def test_what_is_sent(server: Scripted, client: Client) -> None:
    server.say(schedule(), 201, Saltant_Version="2")
    client.schedules.create("nightly", 1, 2, "30 2 * * *", {"a": 1}, limits={"timeout": None})
    asked = server.requests[-1]
    assert (asked.method, asked.path, "idempotency-key" in asked.headers) == ("POST", "/api/schedules/", True)
    assert asked.body == {
        "name": "nightly",
        "task_type": 1,
        "task_queue": 2,
        "cron": "30 2 * * *",
        "arguments": {"a": 1},
        "timezone": "UTC",
        "overlap": "skip",
        "description": "",
        "instance_name": "",
        "labels": {},
        "limits": {"timeout": None},
        "active": True,
    }
    server.script.clear()
    server.say(schedule(), Saltant_Version="2")
    client.schedules.patch(3, labels={}, active=False)
    assert server.requests[-1].body == {"labels": {}, "active": False}


@pytest.mark.parametrize("kind", [ExecutableTaskInstance, ContainerTaskInstance])
def test_a_run_gives_an_instance_of_its_class(server: Scripted, client: Client, kind: type[Any]) -> None:
    cls = "container" if kind is ContainerTaskInstance else "executable"
    server.say({"task_class": cls, **instance(schedule=3)}, 201, Saltant_Version="2")
    made = client.schedules.run(3)
    assert (type(made), made.schedule, made.extra) == (kind, 3, {})
    asked = server.requests[-1]
    assert (asked.method, asked.path, "idempotency-key" in asked.headers) == ("POST", "/api/schedules/3/run/", True)


@pytest.mark.parametrize("said", [{}, [1], ["soon"], None, "x"])
def test_times_that_are_none(server: Scripted, client: Client, said: Any) -> None:
    server.say(said, Saltant_Version="2")
    with pytest.raises(UnexpectedResponse):
        client.schedules.times(3)


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.schedules.list(),
        lambda client: client.schedules.get(name="nightly"),
        lambda client: client.schedules.create("nightly", 1, 2, "0 0 1 1 *"),
        lambda client: client.schedules.run(3),
        lambda client: client.schedules.delete(3),
        lambda client: client.executable_task_instances.list({"schedule": 3}),
    ],
)
def test_a_server_of_version_1_has_none(server: Scripted, client: Client, ask: Callable[[Client], Any]) -> None:
    server.say(page())
    client.users.list({"page_size": 1})
    before = len(server.requests)
    with pytest.raises(UnsupportedByServer, match="schedule"):
        ask(client)
    assert len(server.requests) == before
