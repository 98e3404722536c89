"""What task types were: revisions, pins, clones as they were, and what a server of version 1 cannot do of that."""

from collections.abc import Callable
from typing import Any

import pytest

from saltant import Client, exceptions
from tests.unit.sdk.conftest import Scripted, executable_type, instance

V2: dict[str, Any] = {"Saltant_Version": "2"}
WHITELIST: dict[str, Any] = {
    "id": 7,
    "user": "ada",
    "name": "list",
    "description": "",
    "whitelisted_container_task_types": [],
    "whitelisted_executable_task_types": [1],
    "pinned_revisions": {"1": 2},
}


def revision(number: int) -> dict[str, Any]:
    """A revision as the server tells it."""
    made = "2024-05-06T07:08:09.000000Z"
    return {"number": number, "datetime_created": made, "changed_by": "ada", "changes": {}, "values": {}, "new": 1}


def test_all_pages_of_revisions(server: Scripted, client_2: Client) -> None:
    more = "http://elsewhere/api/executabletasktypes/1/revisions/?cursor=abc&page_size=500"
    server.say({"count": None, "next": more, "previous": None, "results": [revision(2)]}, **V2)
    server.say({"count": None, "next": None, "previous": None, "results": [revision(1)]}, **V2)
    found = client_2.executable_task_types.revisions(1)
    assert [each.number for each in found] == [2, 1]
    assert (found[0].changed_by, found[0].datetime_created.year) == ("ada", 2024)
    assert [request.query["cursor"] for request in server.requests[-2:]] == ["", "abc"]
    assert server.requests[-1].path == "/api/executabletasktypes/1/revisions/"


def test_differences_and_going_back(server: Scripted, client_2: Client) -> None:
    manager = client_2.container_task_types
    server.say({"number": 3, "against": 1, "changes": {"name": ["a", "b"]}}, **V2)
    assert manager.diff(1, 3, against=1) == {"name": ["a", "b"]}
    assert server.requests[-1].path == "/api/containertasktypes/1/revisions/3/diff/"
    assert server.requests[-1].query == {"against": "1"}
    server.script.clear()
    server.say(executable_type(revision=4), **V2)
    task_type = client_2.executable_task_types.restore(1, 2)
    assert (server.requests[-1].method, server.requests[-1].path) == (
        "POST",
        "/api/executabletasktypes/1/revisions/2/restore/",
    )
    assert (task_type.revision, task_type.extra) == (4, {})


def test_instances_of_revisions(server: Scripted, client_2: Client) -> None:
    manager = client_2.executable_task_instances
    server.say(instance(revision=2, command=["wc", "-l"]), 201, **V2)
    made = manager.create(1, 2, revision=2)
    assert server.requests[-1].body["revision"] == 2
    assert (made.revision, made.command) == (2, ["wc", "-l"])
    made.clone(as_was=True)
    assert server.requests[-1].body == {"as_was": True}
    made.clone()
    assert server.requests[-1].body is None
    server.script.clear()
    server.say({"results": [{"instance": instance()}]}, **V2)
    manager.clone_many(["x"], as_was=True)
    assert server.requests[-1].body == {"uuids": ["x"], "all_or_nothing": False, "as_was": True}
    manager.create_many([{"task_type_id": 1, "task_queue_id": 2, "revision": 3}])
    assert server.requests[-1].body["instances"][0]["revision"] == 3


def test_pins(server: Scripted, client_2: Client) -> None:
    server.say(WHITELIST, **V2)
    whitelist = client_2.task_whitelists.get(7)
    assert whitelist.pinned_revisions == {1: 2}
    whitelist.pin({1: 3, 2: None})
    assert server.requests[-1].method == "PATCH"
    assert server.requests[-1].body == {"pinned_revisions": {"1": 3, "2": None}}


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.executable_task_types.revisions(1),
        lambda client: client.executable_task_types.diff(1),
        lambda client: client.executable_task_types.restore(1, 2),
        lambda client: client.task_whitelists.pin(1, {1: 2}),
        lambda client: client.executable_task_instances.create(1, 2, revision=1),
        lambda client: client.executable_task_instances.create_many(
            [{"task_type_id": 1, "task_queue_id": 2, "revision": 1}]
        ),
        lambda client: client.executable_task_instances.clone("x", as_was=True),
        lambda client: client.executable_task_instances.clone_many(["x"], as_was=True),
    ],
)
def test_a_server_of_version_1(server: Scripted, client: Client, ask: Callable[[Client], Any]) -> None:
    server.say({"count": 0, "next": None, "previous": None, "results": []})
    with pytest.raises(exceptions.UnsupportedByServer, match="version 1"):
        ask(client)
    assert {request.method for request in server.requests} <= {"GET"}


def test_answers_of_something_else(server: Scripted, client_2: Client) -> None:
    for nonsense in ([], {"results": [{}], "next": None}, {"results": None}, 3):
        server.script.clear()
        server.say(nonsense, **V2)
        with pytest.raises(exceptions.UnexpectedResponse):
            client_2.executable_task_types.revisions(1)
        with pytest.raises(exceptions.UnexpectedResponse):
            client_2.executable_task_types.diff(1, 2)
