"""Labels, counts, ending what matches, and what a server of version 1 cannot do of that."""

from typing import Any

import pytest

from saltant import Client, exceptions
from saltant.models._encoding import encode_filters
from tests.unit.sdk.conftest import Scripted, instance, page

V2: dict[str, Any] = {"Saltant_Version": "2"}


@pytest.mark.parametrize(
    ("label", "texts"),
    [
        ({"a": "1", "b": ""}, ["a=1", "b="]),
        (["a=1", "b"], ["a=1", "b"]),
        ("a", ["a"]),
    ],
)
def test_labels_in_filters(label: Any, texts: list[str]) -> None:
    assert encode_filters({"label": label, "name": "x"}) == [*(("label", text) for text in texts), ("name", "x")]


def test_labels_are_sent_and_told(server: Scripted, client_2: Client) -> None:
    manager = client_2.executable_task_instances
    server.say(instance(labels={"a": "1"}), 201, **V2)
    assert manager.create(1, 2, labels={"a": "1"}).labels == {"a": "1"}
    assert server.requests[-1].body["labels"] == {"a": "1"}
    server.script.clear()
    server.say(instance(labels={"b": "2"}, name="new"), **V2)
    changed = manager.set_labels("x", {"b": "2"})
    assert (server.requests[-1].method, server.requests[-1].body) == ("PATCH", {"labels": {"b": "2"}})
    assert changed.rename("new").name == "new"
    assert server.requests[-1].body == {"name": "new"}


def test_counts(server: Scripted, client_2: Client) -> None:
    groups = [{"state": "failed", "label:a": None, "count": 2}]
    server.say({"counts": groups}, **V2)
    manager = client_2.executable_task_instances
    assert manager.counts(["state", "label:a"], filters={"label": {"b": "1"}}) == groups
    request = server.requests[-1]
    assert request.path == "/api/executabletaskinstances/counts/"
    assert request.query == {"by": "label:a", "label": "b=1"}, "of names that come twice the last"
    assert manager.counts("state") == groups
    assert manager.counts(filters={"state__in": []}) == []
    server.script.clear()
    server.say([], **V2)
    with pytest.raises(exceptions.UnexpectedResponse, match="no counts"):
        manager.counts()


def test_what_matches_is_terminated(server: Scripted, client_2: Client) -> None:
    server.say({"results": [{"instance": instance()}]}, **V2)
    manager = client_2.executable_task_instances
    [ended] = manager.terminate_matching({"label": {"a": "1", "b": "2"}, "task_queue": 3}, expected=1)
    assert ended.uuid == instance()["uuid"]
    told = {"filters": {"label": ["a=1", "b=2"], "task_queue": "3"}, "expected": 1}
    assert server.requests[-1].body == told
    server.script.clear()
    server.say({"detail": "Nothing was ended.", "count": 7}, 409, **V2)
    with pytest.raises(exceptions.Conflict, match="Nothing was ended"):
        manager.terminate_matching({"label": "a"}, expected=1)
    sent = len(server.requests)
    nothing: list[dict[str, Any]] = [{}, {"state__in": []}, {"label": {}}]
    for filters in nothing:
        with pytest.raises(ValueError, match=r"filter|label"):
            manager.terminate_matching(filters, expected=1)
    assert manager.terminate_matching({"state__in": []}, expected=0) == []
    assert len(server.requests) == sent


def test_version_1_knows_nothing_of_it(server: Scripted, client: Client) -> None:
    server.say(page(), Saltant_Version="1")
    manager = client.executable_task_instances
    for act in (
        lambda: manager.create(1, 2, labels={"a": "1"}),
        lambda: manager.create_many([{"task_type_id": 1, "task_queue_id": 2, "labels": {"a": "1"}}]),
        lambda: manager.list({"label": "a"}),
        lambda: manager.list({"ordering": "name"}),
        lambda: manager.list({"cursor": ""}),
        lambda: manager.set_labels("x", {}),
        lambda: manager.rename("x", "y"),
        lambda: manager.counts(),
        lambda: manager.terminate_matching({"label": "a"}, expected=1),
    ):
        with pytest.raises(exceptions.UnsupportedByServer):
            act()
    assert {request.method for request in server.requests} <= {"GET"}
