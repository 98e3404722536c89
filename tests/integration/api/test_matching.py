"""Counts in groups, and ending all that filters let through."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from saltant.server.api import matching_views
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.server.tasks.services.labels import save_labels
from saltant.states import State
from tests.integration.conftest import Cast, Client, World

PATH = "/api/executabletaskinstances/"


@pytest.fixture
def instances(world: World) -> list[TaskInstance]:
    """The world's first, and four of a project, one of which has ended."""
    made = [
        world.make(name=name, state=state, labels=labels)
        for name, state, labels in (
            ("a", State.PUBLISHED, {"project": "x", "seed": "1"}),
            ("b", State.CREATED, {"project": "x", "seed": "2"}),
            ("c", State.RUNNING, {"project": "y"}),
            ("d", State.SUCCESSFUL, {"project": "x"}),
        )
    ]
    save_labels(made)
    now = timezone.now()
    lease = now + timedelta(hours=1)
    TaskAttempt.objects.create(instance=made[2], number=1, worker="w", lease_expires=lease, datetime_claimed=now)
    return [world.instance, *made]


def counts(client: Client, **query: Any) -> Any:
    """The groups."""
    answer = client.get(f"{PATH}counts/", query)
    assert answer.status_code == 200, answer.content
    assert list(answer.json()) == ["counts"]
    return answer.json()["counts"]


def end(client: Client, expected: Any, **filters: Any) -> Any:
    """Terminate what filters let through."""
    return client.json("POST", f"{PATH}terminate/", {"filters": filters, "expected": expected})


def states() -> dict[str, str]:
    """The state of each, by its name."""
    return dict(TaskInstance.objects.values_list("name", "state"))


def test_counts(owner: Client, world: World, instances: list[TaskInstance]) -> None:
    assert counts(owner) == [{"count": 5}]
    assert counts(owner, by="state") == [
        {"state": "created", "count": 2},
        {"state": "published", "count": 1},
        {"state": "running", "count": 1},
        {"state": "successful", "count": 1},
    ]
    assert counts(owner, by=["label:project", "label:seed"], state__in="published,created") == [
        {"label:project": "x", "label:seed": "1", "count": 1},
        {"label:project": "x", "label:seed": "2", "count": 1},
        {"label:project": None, "label:seed": None, "count": 1},
    ]
    assert counts(owner, by="label:project", label="project=x") == [{"label:project": "x", "count": 3}]
    ids = {"task_type": world.executable.pk, "task_queue": world.queue.pk}
    assert counts(owner, by=[*ids, "user"]) == [{**ids, "user": "owner", "count": 5}]
    TaskInstance.objects.update(user=None)
    assert counts(owner, by="user") == [{"user": None, "count": 5}]
    assert counts(owner, by="state", name="nothing") == []
    assert counts(owner, name="nothing") == [{"count": 0}]
    assert counts(owner, by=["state", "state"], name__regex="^[ab]$")[0] == {"state": "created", "count": 1}


@pytest.mark.parametrize(
    "query",
    [
        {"by": "name"},
        {"by": ""},
        {"by": "label:"},
        {"by": "label:a b"},
        {"by": "label:a\0"},
        {"by": [f"label:k{number}" for number in range(6)]},
        {"by": "state", "nonsense": "1"},
        {"state": "nonsense"},
        {"page": "1"},
        {"name__regex": "("},
    ],
)
def test_counts_that_cannot_be(owner: Client, world: World, query: Any) -> None:
    answer = owner.get(f"{PATH}counts/", query)
    assert answer.status_code == 400
    assert list(answer.json()) == [[*query][-1]]


def test_too_many_groups(owner: Client, instances: list[TaskInstance], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching_views, "MOST_GROUPS", 3)
    answer = owner.get(f"{PATH}counts/", {"by": "state"})
    assert (answer.status_code, list(answer.json())) == (400, ["by"])
    assert len(counts(owner, by="label:project")) == 3


def test_all_that_match_are_ended(owner: Client, instances: list[TaskInstance]) -> None:
    answer = end(owner, 2, label=["project=x"])
    assert answer.status_code == 200
    results = [each["instance"] for each in answer.json()["results"]]
    assert [(each["name"], each["state"]) for each in results] == [("a", "terminated"), ("b", "terminated")]
    now = {"a": "terminated", "b": "terminated", "c": "running", "d": "successful", "first": "created"}
    assert {name: states()[name] for name in now} == now
    ended = AuditEntry.objects.filter(action="terminate")
    assert sorted(ended.values_list("object_name", flat=True)) == ["a", "b"]
    assert end(owner, 0, label="project=x").json() == {"results": []}


def test_what_runs_is_asked_to_end(owner: Client, instances: list[TaskInstance]) -> None:
    [result] = end(owner, 1, label="project=y", state="running").json()["results"]
    assert (result["instance"]["state"], result["instance"]["cancelled_by"]) == ("running", "owner")
    assert end(owner, 1, label="project=y").status_code == 200, "it has not ended yet"
    assert AuditEntry.objects.filter(action="terminate").count() == 1


@pytest.mark.parametrize("expected", [0, 1, 3, 10_000])
def test_another_count_ends_nothing(owner: Client, instances: list[TaskInstance], expected: int) -> None:
    before = states()
    answer = end(owner, expected, label="project=x")
    assert answer.status_code == 409
    said = answer.json()
    assert said["count"] == 2
    assert said["detail"] == f"Nothing was ended: 2 that match have not ended, not {expected} as expected."
    assert states() == before
    assert not AuditEntry.objects.filter(action="terminate").exists()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "uuids"),
        ({"filters": {}, "expected": 5}, "filters"),
        ({"filters": [], "expected": 5}, "filters"),
        ({"filters": None, "expected": 5}, "filters"),
        ({"filters": "x", "expected": 5}, "filters"),
        ({"filters": {"state": "created"}}, "expected"),
        ({"filters": {"state": "created"}, "expected": None}, "expected"),
        ({"filters": {"state": "created"}, "expected": -1}, "expected"),
        ({"filters": {"state": "created"}, "expected": 10_001}, "expected"),
        ({"filters": {"state": "created"}, "uuids": ["x"], "expected": 1}, "filters"),
        ({"uuids": ["x"], "expected": 1}, "expected"),
        ({"filters": {"name": ""}, "expected": 5}, "name"),
        ({"filters": {"label": ""}, "expected": 5}, "label"),
        ({"filters": {"label": []}, "expected": 5}, "label"),
        ({"filters": {"label": ["a", ""]}, "expected": 5}, "label"),
        ({"filters": {"state": None}, "expected": 5}, "state"),
        ({"filters": {"state": {}}, "expected": 5}, "state"),
        ({"filters": {"state": ["created", "running"]}, "expected": 5}, "state"),
        ({"filters": {"sate": "created"}, "expected": 5}, "sate"),
        ({"filters": {"page": "1"}, "expected": 5}, "page"),
        ({"filters": {"ordering": "name"}, "expected": 5}, "ordering"),
        ({"filters": {"name": "\0"}, "expected": 5}, "name"),
        ({"filters": {"name__regex": "."}, "expected": 5}, "name__regex"),
    ],
)
def test_requests_that_cannot_be(owner: Client, instances: list[TaskInstance], body: Any, named: str) -> None:
    before = states()
    answer = owner.json("POST", f"{PATH}terminate/", body)
    assert (answer.status_code, list(answer.json())) == (400, [named])
    assert states() == before


def test_one_that_is_somebody_elses_ends_none(cast: Cast, world: World, instances: list[TaskInstance]) -> None:
    mine = world.make(name="mine", user=world.users["stranger"])
    before = states()
    assert end(cast.stranger, 3, state="created").status_code == 403
    assert states() == before
    assert end(cast.stranger, 1, state="created", user__username="stranger").status_code == 200
    mine.refresh_from_db()
    assert mine.state == "terminated"
    assert end(cast.queue_owner, 2, state="created").status_code == 200
    assert end(cast.nobody, 1, state="created").status_code == 401


def test_those_of_the_other_class_are_left_alone(owner: Client, world: World, instances: list[TaskInstance]) -> None:
    assert end(owner, 2, state="created", task_queue=world.queue.pk).status_code == 200
    world.container_instance.refresh_from_db()
    assert world.container_instance.state == "created"


def test_one_that_ends_meanwhile_is_not_counted(world: World) -> None:
    """It ends after they were counted, and before they are locked."""
    made = [world.make(name=f"n{number}", state=State.PUBLISHED) for number in range(3)]
    mine = TaskInstance.objects.filter(name__startswith="n")
    counted: list[str] = []

    def end_one_after_the_count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found = execute(sql, params, many, context)
        if "COUNT(" in sql and not counted:
            counted.append(sql)
            with connection.cursor() as cursor:
                table = TaskInstance._meta.db_table
                cursor.execute(f"UPDATE {table} SET state = 'successful' WHERE id = %s", [made[1].pk])  # noqa: S608
        return found

    with connection.execute_wrapper(end_one_after_the_count), pytest.raises(services.Miscounted) as caught:
        services.terminate_matching(instances=mine, expected=3, user=world.users["owner"], check=lambda _: None)
    assert (len(counted), caught.value.count) == (1, 2)
    assert sorted(mine.values_list("state", flat=True)) == ["published", "published", "successful"]
