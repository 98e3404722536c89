"""Lists in pages, and in one page however long."""

import json
from typing import Any

import pytest

from saltant.server.accounts.models import User
from saltant.server.api import counts, pagination
from saltant.server.tasks.models import TaskInstance, TaskWhitelist
from tests.integration.conftest import Client, World

PATH = "/api/executabletaskinstances/"
EVERYTHING = 2**63 - 1


@pytest.fixture
def instances(world: World) -> list[TaskInstance]:
    """25 instances, the newest first."""
    world.instance.delete()
    return [world.make(name=f"n{number}") for number in range(25)][::-1]


def read(client: Client, path: str = PATH, **query: Any) -> tuple[Any, list[str]]:
    """A page and the names in it."""
    answer = client.get(path, query)
    assert answer.status_code == 200
    body = json.loads(b"".join(answer) if answer.streaming else answer.content)
    assert list(body) == ["count", "next", "previous", "results"]
    return body, [each.get("name", each.get("username")) for each in body["results"]]


def test_every_page(owner: Client, instances: list[TaskInstance]) -> None:
    wanted = [each.name for each in instances]
    first, names = read(owner)
    assert (first["count"], names) == (25, wanted[:10])
    assert first["next"] == f"http://testserver{PATH}?page=2"
    assert first["previous"] is None
    second, names = read(owner, page=2)
    assert names == wanted[10:20]
    assert second["next"] == f"http://testserver{PATH}?page=3"
    assert second["previous"] == f"http://testserver{PATH}"
    third, names = read(owner, page=3)
    assert names == wanted[20:]
    assert (third["next"], third["previous"]) == (None, f"http://testserver{PATH}?page=2")
    last, names = read(owner, page="last")
    assert (last, names) == (third, wanted[20:])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12, 24, 25, 26])
def test_pages_of_any_size_hold_everything_once(owner: Client, instances: list[TaskInstance], size: int) -> None:
    found, url = [], f"{PATH}?page_size={size}"
    while url:
        body, names = read(owner, url)
        assert len(names) <= size
        found += names
        url = body["next"]
    assert found == [each.name for each in instances]


def test_links_keep_filters(owner: Client, instances: list[TaskInstance]) -> None:
    body, _ = read(owner, name__contains="n", page_size=5, name__regex="^n&?", page=2)
    assert body["next"] == (f"http://testserver{PATH}?name__contains=n&name__regex=%5En%26%3F&page=3&page_size=5")
    assert "page=" not in body["previous"].replace("page_size=", "")


@pytest.mark.parametrize("page", ["4", "0", "-1", "x", "1.0", "9" * 30, "9" * 5000, "1_0", "LAST", "%00", "٢"])
def test_pages_that_are_none(owner: Client, instances: list[TaskInstance], page: str) -> None:
    answer = owner.get(PATH, {"page": page})
    assert (answer.status_code, answer.content) == (404, b'{"detail":"Invalid page."}')


@pytest.mark.parametrize("size", ["0", "-1", "x", "", "1.5", "9" * 5000])
def test_useless_page_sizes_are_the_default(owner: Client, instances: list[TaskInstance], size: str) -> None:
    assert len(read(owner, page_size=size)[1]) == 10


@pytest.mark.parametrize("size", ["0", "-1", "abc", "1.5"])
@pytest.mark.parametrize("more", [{}, {"cursor": ""}])
def test_version_2_refuses_a_useless_page_size(owner: Client, size: str, more: dict[str, str]) -> None:
    answer = owner.get2(PATH, {"page_size": size, **more})
    assert answer.status_code == 400
    assert answer.json() == {"page_size": ["Must be a whole number, 1 at least."]}
    assert owner.get2(PATH, {"page_size": "", **more}).status_code == 200


def test_default_page_sizes(owner: Client, world: World) -> None:
    TaskWhitelist.objects.bulk_create(TaskWhitelist(name=f"w{number}") for number in range(150))
    assert len(read(owner, "/api/taskwhitelists/")[1]) == 100


def test_an_empty_list_has_a_page(owner: Client) -> None:
    for query in ({}, {"page": 1}, {"page": "last"}, {"page_size": EVERYTHING}):
        body, names = read(owner, name="none", **query)
        assert (body["count"], body["next"], body["previous"], names) == (0, None, None, [])
    assert owner.get(PATH, {"name": "none", "page": 2}).status_code == 404


class TestEverythingInOnePage:
    """What released clients ask for."""

    @pytest.fixture(autouse=True)
    def small_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pagination, "CHUNK", 4)

    @pytest.mark.parametrize("size", [EVERYTHING, 10**30, 25])
    def test_streamed(self, owner: Client, instances: list[TaskInstance], size: int) -> None:
        assert owner.get(PATH, {"page_size": size}).streaming
        body, names = read(owner, page_size=size)
        assert (body["count"], body["next"], body["previous"]) == (25, None, None)
        assert names == [each.name for each in instances]

    def test_a_long_page_in_the_middle(self, owner: Client, instances: list[TaskInstance]) -> None:
        body, names = read(owner, page_size=9, page=2)
        assert names == [each.name for each in instances][9:18]
        assert body["next"]
        assert body["previous"]

    def test_other_orders(self, owner: Client, world: World) -> None:
        User.objects.bulk_create(User(username=name) for name in "zyxwvutsrqponm")
        names = read(owner, "/api/users/", page_size=EVERYTHING)[1]
        assert names == sorted(names)
        assert len(names) == 18
        TaskWhitelist.objects.bulk_create(TaskWhitelist(name=f"w{number}") for number in range(9))
        world.whitelist.task_types.clear()
        body, names = read(owner, "/api/taskwhitelists/", page_size=EVERYTHING)
        ids = [each["id"] for each in body["results"]]
        assert ids == sorted(ids)
        assert len(set(ids)) == 10

    def test_filtered(self, owner: Client, instances: list[TaskInstance]) -> None:
        names = read(owner, page_size=EVERYTHING, name__regex="1", name__contains="n")[1]
        assert names == [each.name for each in instances if "1" in each.name]

    def test_in_version_2(self, owner: Client, instances: list[TaskInstance]) -> None:
        answer = owner.get2(PATH, {"page_size": EVERYTHING})
        assert len(json.loads(b"".join(answer))["results"]) == 25
        assert answer["Saltant-Version"] == "2"

    def test_head(self, owner: Client, instances: list[TaskInstance]) -> None:
        assert owner.head(PATH, {"page_size": EVERYTHING}).status_code == 200

    def test_what_ends_or_begins_meanwhile(self, owner: Client, world: World, instances: list[TaskInstance]) -> None:
        answer = owner.get(PATH, {"page_size": EVERYTHING})
        parts = iter(answer)
        text = next(parts)
        TaskInstance.objects.filter(pk__in=[each.pk for each in instances[6:]]).delete()
        world.make(name="new")
        text += b"".join(parts)
        assert [each["name"] for each in json.loads(text)["results"]] == [each.name for each in instances[:6]]
        answer = owner.get(PATH, {"page_size": EVERYTHING})
        TaskInstance.objects.all().delete()
        assert json.loads(b"".join(answer))["results"] == []


def test_a_page_takes_few_queries(owner: Client, instances: list[TaskInstance], django_assert_num_queries: Any) -> None:
    counts._counted.clear()
    with django_assert_num_queries(3):
        owner.get(PATH, {"page_size": 25})
    with django_assert_num_queries(3):
        owner.get2(PATH, {"page_size": 25})
    TaskInstance.objects.filter(pk=instances[-1].pk).update(state="published")
    with django_assert_num_queries(4):
        owner.get2(PATH, {"page_size": 25})
    with django_assert_num_queries(4):
        owner.get("/api/taskqueues/")
