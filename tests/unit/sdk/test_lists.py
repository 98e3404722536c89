"""Lists: filters on their way out, pages on their way in."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from saltant import Client, State, exceptions
from saltant.models import resource
from saltant.models._encoding import encode_filters, parse_datetime, segment
from tests.unit.sdk.conftest import Answer, Request, Scripted, instance, page, queue

NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
UUID_1 = UUID("0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f")


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({"name": "a&b #c+d ü,e"}, "a&b #c+d ü,e"),
        ({"name__in": ["a b", "c&d"]}, "a b,c&d"),
        ({"name__in": "a,b"}, "a,b"),
        ({"task_type__in": (1, 2)}, "1,2"),
        ({"task_type__in": {3}}, "3"),
        ({"task_type__in": {4: "x"}.keys()}, "4"),
        ({"active": True}, "true"),
        ({"active": False}, "false"),
        ({"state": State.FAILED}, "failed"),
        ({"state__in": [State.FAILED, "running"]}, "failed,running"),
        ({"datetime_created__gt": NOON}, "2024-05-06T12:00:00Z"),
        ({"datetime_created__gt": NOON.astimezone(timezone(timedelta(hours=2)))}, "2024-05-06T12:00:00Z"),
        ({"datetime_created__range": [NOON, "2024-05-07T00:00Z"]}, "2024-05-06T12:00:00Z,2024-05-07T00:00Z"),
        ({"datetime_created__year": 2024}, "2024"),
        ({"uuid": UUID_1}, str(UUID_1)),
    ],
)
def test_values_arrive_as_they_are_meant(server: Scripted, client: Client, filters: Any, query: str) -> None:
    server.say(page())
    client.executable_task_instances.list(MappingProxyType(filters))
    (name,) = filters
    assert server.requests[0].query == {name: query, "page_size": "500"}


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ({"name": None}, "None"),
        ({"name__in": ["a", "b,c"]}, "comma"),
        ({"name__in": [""]}, "empty text"),
        ({"name__in": ["a", None]}, "None"),
        ({"name": ["a"]}, "one value"),
        ({"datetime_created__range": [NOON]}, "two values"),
        ({"datetime_created": NOON.replace(tzinfo=None)}, "time zone"),
        ({"datetime_created": date(2024, 5, 6)}, "mere date"),
        ({"name": b"a"}, "b'a'"),
        ({"name": {}}, "name"),
        ({1: "a"}, "1"),
        ({"label": {}}, "label"),
        ({"label": {"a": 1}}, "label"),
        ({"label": ["a", ""]}, "label"),
        ({"label": 7}, "label"),
    ],
)
def test_values_that_cannot_be_told(client: Client, filters: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        client.task_queues.list(filters)
    with pytest.raises(ValueError, match=problem):
        client.task_queues.iterate(filters)


def test_nothing_is_in_an_empty_list(server: Scripted, client: Client) -> None:
    assert client.task_queues.list({"name__in": []}) == []
    assert not server.requests


def test_the_callers_filters_stay_as_they_are(server: Scripted, client: Client) -> None:
    server.say(page())
    filters = {"name__in": ["a"], "active": True}
    client.task_queues.list(filters)
    assert filters == {"name__in": ["a"], "active": True}
    assert encode_filters(None) == []


class Many:
    """A server with many queues, in pages by number."""

    def __init__(self, server: Scripted, number: int) -> None:
        self.ids = list(range(1, number + 1))
        self.host = "elsewhere.invalid"
        server.decide = self.answer

    def answer(self, request: Request) -> Answer:
        size, number = int(request.query.get("page_size", 100)), int(request.query.get("page", 1))
        found = self.ids[(number - 1) * size : number * size]
        if number > 1 and not found:
            return Answer({"detail": "Invalid page."}, 404)
        more = number * size < len(self.ids)
        query = f"a=%26%20b&page={number + 1}&page_size={size}"
        url = f"http://{self.host}/api/taskqueues/?{query}" if more else None
        return Answer(page(*(queue(id=id) for id in found), next=url, count=len(self.ids)))


def ids(found: Any) -> list[int]:
    return [each.id for each in found]


def test_a_list_goes_through_all_pages(server: Scripted, client: Client) -> None:
    many = Many(server, 1234)
    assert ids(client.task_queues.list({"a": "& b"})) == many.ids
    assert [request.query.get("page") for request in server.requests] == [None, "2", "3"]
    assert {request.query["a"] for request in server.requests} == {"& b"}


def test_a_server_of_version_2_is_asked_by_cursors(server: Scripted, client: Client) -> None:
    def by_cursor(request: Request) -> Answer:
        first = int(request.query.get("cursor") or 1)
        found = page(*(queue(id=id) for id in range(first, first + 3)))
        # By number the first page has a link, too, which leads nowhere good.
        if first < 7:
            found["next"] = f"http://x/?cursor={first + 3}&page_size=3" if "cursor" in request.query else "?page=2"
        return Answer(found, headers={"Saltant-Version": "2"})

    server.decide = by_cursor
    assert ids(client.task_queues.iterate(page_size=3)) == [*range(1, 10)]
    # What the server is, its first answer tells.
    assert [request.query.get("cursor") for request in server.requests] == [None, "", "4", "7"]
    assert ids(client.task_queues.iterate(page_size=3)) == [*range(1, 10)]
    assert [request.query.get("cursor") for request in server.requests[4:]] == ["", "4", "7"]
    assert all("page" not in request.query for request in server.requests)


def test_iterate_fetches_when_needed(server: Scripted, client: Client) -> None:
    Many(server, 10)
    found = client.task_queues.iterate(page_size=3)
    assert isinstance(found, Iterator)
    assert not server.requests
    assert ids(islice(found, 3)) == [1, 2, 3]
    assert len(server.requests) == 1
    assert ids(found) == list(range(4, 11))


@pytest.mark.parametrize("filters", [{"page": 2, "page_size": 3}, {"page": "2", "page_size": "3"}])
def test_an_explicit_page_is_one_page(server: Scripted, client: Client, filters: Any) -> None:
    Many(server, 10)
    assert ids(client.task_queues.list(filters)) == [4, 5, 6]
    assert ids(client.task_queues.iterate(filters)) == [4, 5, 6]
    assert ids(client.task_queues.list({"page_size": 2})) == [1, 2]
    assert len(server.requests) == 3


def test_an_explicit_page_that_is_not_there(server: Scripted, client: Client) -> None:
    Many(server, 10)
    with pytest.raises(exceptions.NotFound, match="Invalid page"):
        client.task_queues.list({"page": 7})


def test_new_ones_push_others_to_the_next_page(server: Scripted, client: Client) -> None:
    many = Many(server, 9)
    found = []
    for each in client.task_queues.iterate(page_size=3):
        found.append(each.id)
        if len(found) in (1, 4):
            many.ids[:0] = [100 + len(found)]
    assert found == list(range(1, 10))


def test_a_list_that_shrinks_ends(server: Scripted, client: Client) -> None:
    many = Many(server, 9)
    found = client.task_queues.iterate(page_size=3)
    assert next(found).id == 1
    del many.ids[3:]
    assert ids(found) == [2, 3]


def test_another_404_between_pages_is_an_error(server: Scripted, client: Client) -> None:
    server.say(page(queue(), next="?page=2"))
    server.say({"detail": "Not found."}, 404)
    with pytest.raises(exceptions.NotFound):
        client.task_queues.list()


def test_pages_that_go_round_are_an_error(server: Scripted, client: Client) -> None:
    server.say(page(queue(), next="?page=2"))
    with pytest.raises(exceptions.UnexpectedResponse, match="circle"):
        client.task_queues.list()


@pytest.mark.parametrize("body", [[], {}, {"results": None}, {"results": [1]}, {"results": [{}]}, "null", 7])
def test_lists_that_are_none(server: Scripted, client: Client, body: Any) -> None:
    server.say(body)
    with pytest.raises(exceptions.UnexpectedResponse):
        client.task_queues.list()


def test_a_page_size_of_nothing(client: Client) -> None:
    with pytest.raises(ValueError, match="page_size"):
        client.task_queues.iterate(page_size=0)


def test_instances_are_told_apart_by_uuid(server: Scripted, client: Client) -> None:
    server.say(page(instance(uuid="a"), instance(uuid="b"), instance(uuid="a")))
    assert [each.uuid for each in client.container_task_instances.list()] == ["a", "b"]


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_segments_that_lead_elsewhere(client: Client, value: str) -> None:
    with pytest.raises(ValueError, match="names no resource"):
        client.users.get(value)
    assert segment("..a/?#") == "..a%2F%3F%23"


def test_a_user_with_an_awkward_name(server: Scripted, client: Client) -> None:
    server.say({"username": "a@b/c d?ü%2F", "email": ""})
    client.users.get("a@b/c d?ü%2F")
    assert server.requests[0].path == "/api/users/a%40b%2Fc%20d%3F%C3%BC%252F/"


@pytest.mark.parametrize("text", ["2024-05-06T12:00:00Z", "2024-05-06T14:00:00+02:00", "2024-05-06T12:00:00"])
def test_datetimes_have_a_time_zone(text: str) -> None:
    assert parse_datetime(text) == NOON


def test_a_long_list_is_not_remembered(server: Scripted, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "REMEMBERED", 4)
    pages = [
        page(*(queue(id=number) for number in numbers), next="http://x/?page=" + str(numbers[-1]))
        for numbers in ((1, 2, 3), (3, 4, 5), (5, 6, 7), (7, 8, 1))
    ]
    pages[-1]["next"] = None
    for each in pages:
        server.say(each)
    seen = [each.id for each in client.task_queues.iterate()]
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8, 1], "what comes again soon is left out"
