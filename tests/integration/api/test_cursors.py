"""Order of lists, and pages by cursors."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from saltant.server.api import pagination
from saltant.server.api.cursors import Cursor
from saltant.server.api.ordering import Order
from saltant.server.tasks.models import TaskInstance, TaskQueue, Worker
from tests.integration.conftest import Client, World

PATH = "/api/executabletaskinstances/"
START = datetime(2030, 1, 1, tzinfo=UTC)
ORDERS = ["datetime_created", "datetime_finished", "datetime_changed", "name", "priority"]
EVERY = ["", *ORDERS, *(f"-{each}" for each in ORDERS)]


@pytest.fixture
def instances(world: World) -> list[TaskInstance]:
    """23 instances, the oldest first; in every column some are equal, and some have not finished."""
    TaskInstance.objects.all().delete()
    return [
        world.make(
            name=f"ü{number % 5}",
            priority=number % 3,
            datetime_created=START - timedelta(days=number // 2),
            datetime_changed=START + timedelta(microseconds=number % 4),
            datetime_finished=START + timedelta(hours=number % 3) if number % 4 else None,
        )
        for number in range(23)
    ]


def wanted(instances: list[TaskInstance], ordering: str) -> list[str]:
    """Their UUIDs in an order."""
    column, downwards = ordering.removeprefix("-"), not ordering or ordering.startswith("-")
    keyed = [(getattr(each, column) if column else 0, each.pk, str(each.uuid)) for each in instances]
    some = sorted((each for each in keyed if each[0] is not None), reverse=downwards)
    none = sorted(((0, *each[1:]) for each in keyed if each[0] is None), reverse=downwards)
    return [each[-1] for each in [*some, *none]]


def page(client: Client, path: str = PATH, **query: Any) -> tuple[Any, list[str]]:
    """A page, and the UUIDs on it."""
    answer = client.get2(path, query)
    assert answer.status_code == 200, answer.content
    body = json.loads(answer.getvalue())
    assert list(body) == ["count", "next", "previous", "results"]
    return body, [each["uuid"] for each in body["results"]]


@pytest.mark.parametrize("ordering", EVERY)
def test_forwards_and_backwards(owner: Client, instances: list[TaskInstance], ordering: str) -> None:
    found, pages, body = [], [], {"next": f"{PATH}?cursor=&page_size=4&ordering={ordering}"}
    while body["next"]:
        body, uuids = page(owner, body["next"])
        assert body["count"] is None
        found += uuids
        pages.append(uuids)
    assert found == wanted(instances, ordering)
    assert [len(each) for each in pages] == [4] * 5 + [3]
    back = [pages[-1]]
    while body["previous"]:
        body, uuids = page(owner, body["previous"])
        back.append(uuids)
    assert back == pages[::-1]
    assert page(owner, body["next"])[1] == pages[1]


@pytest.mark.parametrize("ordering", EVERY)
def test_numbered_pages_have_the_same_orders(
    owner: Client, instances: list[TaskInstance], ordering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = wanted(instances, ordering)
    for number in range(3):
        assert page(owner, ordering=ordering, page=number + 1)[1] == order[number * 10 : number * 10 + 10]
    monkeypatch.setattr(pagination, "CHUNK", 4)
    assert page(owner, ordering=ordering, page_size=100)[1] == order, "a page that is sent in chunks"


def test_what_comes_and_goes_moves_nothing(owner: Client, world: World, instances: list[TaskInstance]) -> None:
    order = wanted(instances, "")
    first, uuids = page(owner, cursor="", page_size=5)
    world.make()
    TaskInstance.objects.filter(uuid__in=[order[4], order[6]]).delete()
    second, after = page(owner, first["next"])
    assert uuids + after == [*order[:6], *order[7:11]]
    before, uuids = page(owner, second["previous"])
    assert (uuids[1:], before["previous"]) == (order[:4], None), "the new one is first"
    TaskInstance.objects.filter(uuid__in=order[:5]).delete()
    TaskInstance.objects.filter(pk__gt=instances[-1].pk).delete()
    nothing, uuids = page(owner, second["previous"])
    assert (uuids, nothing["previous"]) == ([], None)
    assert page(owner, nothing["next"])[1][0] == order[5]


def test_nothing_is_counted_unless_asked(owner: Client, instances: list[TaskInstance]) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        body, _ = page(owner, cursor="", page_size=5, state="created")
    assert not [each for each in queries if "COUNT" in each["sql"]]
    assert body["count"] is None
    assert page(owner, cursor="", page_size=5, state="created", count="true")[0]["count"] == 23
    assert page(owner, page_size=5)[0]["count"] == 23
    last, uuids = page(owner, cursor="", page_size=23)
    assert (len(uuids), last["next"], last["previous"]) == (23, None, None)
    assert page(owner, cursor="", state="failed")[0] == {"count": None, "next": None, "previous": None, "results": []}


def test_links_keep_filters(owner: Client, instances: list[TaskInstance]) -> None:
    body, uuids = page(owner, cursor="", page_size=3, name__regex="^ü[12]", count="true")
    assert body["count"] == 10
    while body["next"]:
        body, more = page(owner, body["next"])
        uuids += more
    assert len(set(uuids)) == len(uuids) == 10


@pytest.mark.parametrize("path", ["taskqueues", "taskwhitelists", "users", "workers", "executabletasktypes"])
def test_every_list_has_them(owner: Client, world: World, path: str) -> None:
    TaskQueue.objects.bulk_create(TaskQueue(name=f"q{number}", lane=f"q{number}") for number in range(5))
    Worker.objects.bulk_create(Worker(name=f"w{number}", slots=1, datetime_heartbeat=START) for number in range(5))
    everything = owner.get2(f"/api/{path}/").json()["results"]
    found, url = [], f"/api/{path}/?cursor=&page_size=2"
    while url:
        body = owner.get2(url).json()
        found += body["results"]
        url = body["next"]
    assert found == everything
    name = "username" if path == "users" else "name"
    downwards = owner.get2(f"/api/{path}/", {"ordering": f"-{name}"}).json()["results"]
    assert [each[name] for each in downwards] == sorted((each[name] for each in everything), reverse=True)


def encoded(value: Any) -> str:
    """What looks like a cursor."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "ü",
        "%00",
        "!" * 8,
        "x" * 20_000,
        encoded(7),
        encoded(None),
        encoded(["-id", False]),
        encoded(["-id", False, []]),
        encoded(["-id", 1, [1]]),
        encoded(["-id", False, ["1"]]),
        encoded(["-id", False, [True]]),
        encoded(["-id", False, [2**63]]),
        encoded(["-id", False, [1, 2]]),
        encoded(["name", False, ["a", 1]]),
        base64.urlsafe_b64encode(b"[" * 6000).decode(),
    ],
)
def test_cursors_that_are_none(owner: Client, world: World, cursor: str) -> None:
    answer = owner.get2(PATH, {"cursor": cursor})
    assert (answer.status_code, list(answer.json())) == (400, ["cursor"])


@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("name", [1, 1]),
        ("name", ["\0", 1]),
        ("name", [None, 1]),
        ("datetime_created", ["2030-01-01", 1]),
        ("datetime_created", ["0001-01-01T00:00:00+23:00", 1]),
        ("datetime_created", ["x", 1]),
        ("datetime_created", [None, 1]),
        ("priority", ["1", 1]),
        ("priority", [1, None]),
    ],
)
def test_keys_that_are_none(owner: Client, world: World, column: str, key: Any) -> None:
    answer = owner.get2(PATH, {"cursor": encoded([column, False, key]), "ordering": column})
    assert (answer.status_code, list(answer.json())) == (400, ["cursor"])


def test_a_cursor_comes_back_as_it_went() -> None:
    order = Order.of(TaskInstance, "-datetime_finished")
    for key in ([START, 7], [None, 2**63 - 1]):
        for backwards in (True, False):
            cursor = Cursor(key, backwards)
            assert Cursor.read(cursor.text(order), order) == cursor


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"ordering": "uuid"}, "ordering"),
        ({"ordering": "id"}, "ordering"),
        ({"ordering": "--name"}, "ordering"),
        ({"ordering": "name,priority"}, "ordering"),
        ({"ordering": "user__password", "cursor": ""}, "ordering"),
        ({"cursor": "", "page": 1}, "cursor"),
        ({"cursor": "", "count": "maybe"}, "count"),
    ],
)
def test_what_is_refused(owner: Client, world: World, query: dict[str, Any], named: str) -> None:
    answer = owner.get2(PATH, query)
    assert (answer.status_code, list(answer.json())) == (400, [named])
    assert owner.get(PATH, query).status_code == 200, "version 1 ignores what it does not know"


def test_version_1_has_none(owner: Client, instances: list[TaskInstance]) -> None:
    plain = owner.get(PATH).json()
    answer = owner.get(PATH, {"ordering": "name", "cursor": "x", "count": "x"}).json()
    assert (answer["count"], answer["results"]) == (plain["count"], plain["results"])
