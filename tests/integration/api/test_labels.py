"""Labels of instances: set, changed, filtered by; and an instance's new name."""

from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import TaskInstance, TaskLabel
from tests.integration.conftest import V2, Cast, Client, World

PATH = "/api/executabletaskinstances/"
LABELS = {"project": "x", "a/b.c": "", "seed": "ü 7=7"}


def job(world: World, **more: Any) -> dict[str, Any]:
    """What a POST says."""
    return {"task_type": world.executable.pk, "task_queue": world.queue.pk, "arguments": {"text": "x"}, **more}


def make(client: Client, world: World, labels: Any, **more: Any) -> Any:
    """Make an instance."""
    return client.json("POST", PATH, job(world, labels=labels, **more), HTTP_ACCEPT=V2)


def patch(client: Client, uuid: Any, **changes: Any) -> Any:
    """Change an instance."""
    return client.json("PATCH", f"{PATH}{uuid}/", changes, HTTP_ACCEPT=V2)


def found(client: Client, *labels: str, version: str = V2) -> list[str]:
    """The names of those that have labels, the oldest first."""
    answer = client.get(PATH, {"label": labels}, HTTP_ACCEPT=version)
    assert answer.status_code == 200, answer.content
    return [each["name"] for each in answer.json()["results"]][::-1]


def test_they_are_set_shown_and_cloned(owner: Client, world: World) -> None:
    made = make(owner, world, LABELS)
    assert made.status_code == 201
    assert made.json()["labels"] == LABELS
    path = f"{PATH}{made.json()['uuid']}/"
    assert owner.get2(path).json()["labels"] == LABELS
    assert "labels" not in owner.get(path).json(), "version 1 is frozen"
    assert owner.post(f"{path}clone/", HTTP_ACCEPT=V2).json()["labels"] == LABELS
    many = owner.json("POST", f"{PATH}many/", {"instances": [job(world, labels=LABELS), job(world)]}).json()["results"]
    assert [each["instance"]["labels"] for each in many] == [LABELS, {}]
    clones = owner.json("POST", f"{PATH}clone/", {"uuids": [each["instance"]["uuid"] for each in many]}).json()
    assert [each["instance"]["labels"] for each in clones["results"]] == [LABELS, {}]
    assert TaskLabel.objects.count() == 4 * len(LABELS)
    assert make(owner, world, {}).json()["labels"] == {}


def test_version_1_sets_none(owner: Client, world: World) -> None:
    made = owner.json("POST", PATH, job(world, labels={"a": "b"}))
    assert made.status_code == 201
    assert TaskInstance.objects.get(uuid=made.json()["uuid"]).labels == {}


@pytest.mark.parametrize(
    "labels",
    [
        None,
        [],
        "a=b",
        {"": "x"},
        {"a b": "x"},
        {"a=b": "x"},
        {"-a": "x"},
        {"a\n": "x"},
        {"ä": "x"},
        {"a" * 64: "x"},
        {"a": 1},
        {"a": None},
        {"a": ["x"]},
        {"a": "x" * 201},
        {"a": "\0"},
        {"a": "\ud800"},
        {f"k{number}": "" for number in range(65)},
    ],
)
def test_what_is_no_label(owner: Client, world: World, labels: Any) -> None:
    before = TaskInstance.objects.count()
    for answer in (make(owner, world, labels), patch(owner, world.instance.uuid, labels=labels)):
        assert answer.status_code == 400
        assert list(answer.json()) == ["labels"]
    assert TaskInstance.objects.count() == before
    assert not TaskLabel.objects.exists()


def test_as_much_as_may_be(owner: Client, world: World) -> None:
    most = {f"{'k' * 60}{number}": "ü" * 200 for number in range(64)}
    assert make(owner, world, most).json()["labels"] == most


def test_filters(owner: Client, world: World) -> None:
    for name, labels in (("both", {"a": "1", "b": "2"}), ("a", {"a": "2"}), ("empty", {"a": ""}), ("b", {"b": "1=2"})):
        make(owner, world, labels, name=name)
    assert found(owner, "a") == ["both", "a", "empty"]
    assert found(owner, "a=2") == ["a"]
    assert found(owner, "a=") == ["empty"]
    assert found(owner, "a", "b=2") == ["both"]
    assert found(owner, "a=1", "a=2") == []
    assert found(owner, "b=1=2") == ["b"]
    assert found(owner, "b=1") == []
    assert found(owner, "a=2", version="application/json") == ["a"]
    body = owner.get2(PATH, {"label": ["a", "b"], "page_size": 1, "state": "created"}).json()
    assert body["count"] == 1
    body = owner.get2(PATH, {"label": ["a"], "page_size": 2}).json()
    assert body["next"].count("label=a") == 1
    [last] = owner.get2(body["next"]).json()["results"]
    assert last["name"] == "both"


@pytest.mark.parametrize("label", ["=x", "a b=c", "a=" + "x" * 201, "a=\0", "a" * 64])
def test_filters_that_are_none(owner: Client, label: str) -> None:
    answer = owner.get2(PATH, {"label": ["fine=1", label]})
    assert (answer.status_code, list(answer.json())) == (400, ["label"])
    assert owner.get2(PATH, {"label": ["a"] * 65}).status_code == 400


def test_they_are_replaced_and_written_down(owner: Client, world: World) -> None:
    uuid = make(owner, world, {"a": "1", "b": "2"}, name="old").json()["uuid"]
    changed = patch(owner, uuid, labels={"b": "3"})
    assert (changed.status_code, changed.json()["labels"]) == (200, {"b": "3"})
    assert changed.json() == owner.get2(f"{PATH}{uuid}/").json()
    assert (found(owner, "a"), found(owner, "b=3")) == ([], ["old"])
    both = patch(owner, uuid, name="new", labels={}).json()
    assert (both["name"], both["labels"]) == ("new", {})
    assert found(owner, "b") == []
    entries = AuditEntry.objects.filter(action="update", object_id=uuid).order_by("id")
    assert [each.details for each in entries] == [
        {"labels": [{"a": "1", "b": "2"}, {"b": "3"}]},
        {"name": ["old", "new"], "labels": [{"b": "3"}, {}]},
    ]
    patch(owner, uuid, name="new", labels={})
    assert entries.count() == 2, "nothing was changed"


@pytest.mark.parametrize("body", [{}, {"state": "failed"}, [], {"name": "x" * 201}, {"name": "\0"}, {"name": None}])
def test_what_cannot_be_changed(cast: Cast, world: World, body: Any) -> None:
    path = f"{PATH}{world.instance.uuid}/"
    assert cast.owner.json("PATCH", path, body, HTTP_ACCEPT=V2).status_code == 400
    assert cast.stranger.json("PATCH", path, body, HTTP_ACCEPT=V2).status_code == 403
    assert cast.owner.json("PATCH", path, {"name": "x"}).status_code == 405, "version 1 has none"
    assert name_of(world) == "first"


def name_of(world: World) -> str:
    """What the world's instance is called now."""
    world.instance.refresh_from_db()
    return world.instance.name


def test_a_form_says_them_too(owner: Client, world: World) -> None:
    path = f"{PATH}{world.instance.uuid}/"
    answer = owner.form("PATCH", path, {"labels": '{"a": "b"}', "name": "n"}, HTTP_ACCEPT=V2)
    assert (answer.json()["labels"], answer.json()["name"]) == ({"a": "b"}, "n")
    assert owner.form("PATCH", path, {"labels": "{"}, HTTP_ACCEPT=V2).status_code == 400


def test_they_go_with_their_instance(owner: Client, world: World) -> None:
    uuid = make(owner, world, {"a": "1"}).json()["uuid"]
    TaskInstance.objects.get(uuid=uuid).delete()
    assert not TaskLabel.objects.exists()
