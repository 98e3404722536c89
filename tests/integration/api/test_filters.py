"""Query parameters: every kind of filter, and the values that people send."""

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant.server.api import filters
from saltant.server.tasks.models import TaskClass, TaskInstance, TaskQueue, TaskType
from saltant.states import State
from tests.integration.conftest import V2, Client, World

TYPES, INSTANCES = "/api/executabletasktypes/", "/api/executabletaskinstances/"
ALL = ["Alpha", "alpha beta", "b&c=d", "x%_y", "ü+ß", "gamma"]


@pytest.fixture
def named(world: World) -> World:
    """Types with names that are hard to look for."""
    for name in ALL:
        TaskType.objects.create(
            task_class="executable", name=name, command_to_run=f"run {name}", user=world.users["stranger"]
        )
    return world


def names(client: Client, path: str, **query: Any) -> list[str]:
    """The names in the list that `query` gives, but for the world's own type."""
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["count"] == len(body["results"])
    return [each["name"] for each in body["results"] if each["name"] != "count"]


@pytest.mark.parametrize(
    ("lookup", "value", "found"),
    [
        ("", "Alpha", ["Alpha"]),
        ("", "alpha", []),
        ("", "Alpha ", []),
        ("", "b&c=d", ["b&c=d"]),
        ("", "", ALL),
        ("__contains", "alpha", ["alpha beta"]),
        ("__contains", "a b", ["alpha beta"]),
        ("__contains", "&", ["b&c=d"]),
        ("__contains", "%", ["x%_y"]),
        ("__contains", "_", ["x%_y"]),
        ("__contains", "ß", ["ü+ß"]),
        ("__contains", "SS", []),
        ("__contains", " ", ["alpha beta"]),
        ("__contains", "x" * 9999, []),
        ("__startswith", "al", ["alpha beta"]),
        ("__startswith", "ü", ["ü+ß"]),
        ("__endswith", "a", ["Alpha", "alpha beta", "gamma"]),
        ("__endswith", "+ß", ["ü+ß"]),
        ("__endswith", "too long to be an end of it", []),
        ("__in", "Alpha,gamma,none", ["Alpha", "gamma"]),
        ("__in", "Alpha", ["Alpha"]),
        ("__in", "Alpha,", ["Alpha"]),
        ("__regex", "^[Aa]lpha", ["Alpha", "alpha beta"]),
        ("__regex", "lph", ["Alpha", "alpha beta"]),
        ("__regex", r"^\w+$", ["Alpha", "gamma"]),
        ("__regex", "^ALPHA", []),
        ("__regex", "(?i)^ALPHA", ["Alpha", "alpha beta"]),
        ("__regex", r"^(.)(.)\2", []),
        ("__regex", "m{2}", ["gamma"]),
    ],
)
def test_text(owner: Client, named: World, lookup: str, value: str, found: list[str]) -> None:
    assert names(owner, TYPES, **{f"name{lookup}": value}) == found


def test_other_texts(owner: Client, named: World) -> None:
    assert names(owner, TYPES, user__username="stranger") == ALL
    assert names(owner, TYPES, user__username__in="owner,admin") == []
    assert names(owner, TYPES, user__username__regex="^str.*r$", name__contains="mm") == ["gamma"]
    assert names(owner, TYPES, command_to_run__startswith="run x") == ["x%_y"]
    assert names(owner, TYPES, command_to_run__contains="&", name__contains="c", description="") == ["b&c=d"]
    TaskType.objects.filter(name="gamma").update(user=None)
    assert "gamma" not in names(owner, TYPES, user__username__contains="r")
    assert owner.get("/api/users/", {"username__endswith": "owner"}).json()["count"] == 2
    assert owner.get("/api/users/", {"email__contains": "@"}).json()["count"] == 0
    assert owner.get("/api/containertasktypes/", {"container_type": "docker"}).json()["count"] == 1
    assert owner.get("/api/containertasktypes/", {"container_type": "none"}).json()["count"] == 0
    assert owner.get("/api/containertasktypes/", {"container_image__startswith": "count:"}).json()["count"] == 1
    assert owner.get("/api/taskwhitelists/", {"description__in": "a,b"}).json()["count"] == 0


@pytest.mark.parametrize("lookup", ["", "__contains", "__in", "__startswith", "__endswith", "__regex"])
def test_nul_in_a_text(owner: Client, lookup: str) -> None:
    answer = owner.get(TYPES, {f"name{lookup}": "a\0b"})
    assert (answer.status_code, answer.json()) == (400, {f"name{lookup}": ["Null characters are not allowed."]})


@pytest.mark.parametrize("lookup", ["", "__contains", "__startswith", "__endswith", "__regex"])
def test_endless_texts(owner: Client, lookup: str) -> None:
    answer = owner.get(TYPES, {f"name{lookup}": "x" * 60_000})
    assert answer.status_code == 400
    assert list(answer.json()) == [f"name{lookup}"]


def test_many_values(owner: Client, named: World) -> None:
    assert names(owner, TYPES, name__in=",".join(["gamma"] * 20_000)) == ["gamma"]
    assert names(owner, TYPES, name__in=",".join(["gamma", *map(str, range(9_999))])) == ["gamma"]
    assert owner.get(TYPES, {"name__in": ",".join(map(str, range(10_001)))}).status_code == 400


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "*", "(?P<n>a)(?P<n>", "a{2,1}", "\\", "(?<=a+", "x" * 1001, "\\p{Nope}"]
)
def test_regular_expressions_that_are_none(owner: Client, pattern: str) -> None:
    answer = owner.get(TYPES, {"name__regex": pattern})
    assert answer.status_code == 400
    assert list(answer.json()) == ["name__regex"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's engine finds this quickly: see its own tests")
@pytest.mark.parametrize("page_size", ["10", "9223372036854775807"])
def test_a_regular_expression_that_takes_for_ever(
    owner: Client, world: World, page_size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_settings, "SALTANT", dataclasses.replace(django_settings.SALTANT, filter_time=0.2))
    for number in range(5):
        TaskType.objects.create(task_class="executable", name=f"{number}", description="a" * 5000, command_to_run="x")
    query = {"description__regex": "(a|aa)+$^", "name__regex": ".", "page_size": page_size}
    answer = owner.get(TYPES, query)
    assert answer.status_code == 400
    message = "This regular expression takes more than 0.2 seconds, or too much memory."
    assert answer.json() == {"description__regex": [message]}
    assert owner.get(TYPES, {"description__regex": "^a+$"}).json()["count"] == 5, "the next request has its own time"


class TestStates:
    """state, of which a plain one must be known."""

    @pytest.fixture(autouse=True)
    def instances(self, world: World) -> None:
        for state in State:
            world.make(name=state, state=state)

    @pytest.mark.parametrize(
        ("lookup", "value", "found"),
        [
            ("", "failed", ["failed"]),
            ("__in", "failed,running", ["failed", "running"]),
            ("__in", "failed,nonsense", ["failed"]),
            ("__contains", "ed", ["terminated", "failed", "published", "created"]),
            ("__startswith", "su", ["successful"]),
            ("__endswith", "ing", ["running"]),
            ("__regex", "^(fail|term)", ["terminated", "failed"]),
        ],
    )
    def test_found(self, owner: Client, lookup: str, value: str, found: list[str]) -> None:
        assert [name for name in names(owner, INSTANCES, **{f"state{lookup}": value}) if name != "first"] == found

    @pytest.mark.parametrize("state", ["nonsense", "Failed", "failed,running", " "])
    def test_unknown(self, owner: Client, state: str) -> None:
        answer = owner.get(INSTANCES, {"state": state})
        assert answer.status_code == 400
        message = f"Select a valid choice. {state} is not one of the available choices."
        assert answer.json() == {"state": [message]}

    def test_an_unknown_one_of_several_is_refused_in_version_2(self, owner: Client) -> None:
        message = (
            "Select a valid choice. zz is not one of the available choices: "
            "created, published, running, successful, failed, terminated."
        )
        for path in (INSTANCES, f"{INSTANCES}counts/"):
            answer = owner.get2(path, {"state__in": "failed,zz"})
            assert (answer.status_code, answer.json()) == (400, {"state__in": [message]})
            assert owner.get2(path, {"state__in": "failed,running,failed"}).status_code == 200
        assert owner.get(INSTANCES, {"state__in": "zz"}).json()["count"] == 0


class TestIds:
    """task_type and task_queue."""

    def test_found(self, owner: Client, world: World) -> None:
        other = world.make(name="elsewhere", task_queue=world.other_queue)
        assert names(owner, INSTANCES, task_queue=world.other_queue.id) == ["elsewhere"]
        assert names(owner, INSTANCES, task_queue=world.other_queue.id, task_type=world.executable.id) == [other.name]
        both = f"{world.queue.id},{world.other_queue.id},{2**63 - 1}"
        assert names(owner, INSTANCES, task_queue__in=both) == ["elsewhere", "first"]
        assert names(owner, INSTANCES, task_type__in="999") == []

    @pytest.mark.parametrize("value", ["999", "x", "-1", "1.5", str(2**63), "9" * 5000, "\0", "null", "1 OR 1"])
    def test_unknown(self, owner: Client, value: str) -> None:
        answer = owner.get(INSTANCES, {"task_type": value})
        assert answer.status_code == 400
        message = "Select a valid choice. That choice is not one of the available choices."
        assert answer.json() in ({"task_type": [message]}, {"task_type": ["Null characters are not allowed."]})

    def test_a_type_of_the_other_class(self, owner: Client, world: World) -> None:
        assert owner.get(INSTANCES, {"task_type": world.container.id}).status_code == 400

    @pytest.mark.parametrize("value", ["x", "1,x", "[1, 2]", "1,,2", ",", str(2**63), "9" * 5000, "-1", "1.5", "\0"])
    def test_bad_lists(self, owner: Client, value: str) -> None:
        answer = owner.get(INSTANCES, {"task_queue__in": value})
        assert answer.status_code == 400
        assert list(answer.json()) == ["task_queue__in"]


class TestMoments:
    """datetime_created and datetime_finished."""

    @pytest.fixture(autouse=True)
    def instances(self, world: World) -> None:
        world.instance.delete()
        for year in (2019, 2020, 2021):
            moment = datetime(year, 1, 1, 12, 0, 0, 5, tzinfo=UTC)
            world.make(name=str(year), datetime_created=moment, datetime_finished=moment if year > 2019 else None)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"datetime_created": "2020-01-01T12:00:00.000005Z"}, ["2020"]),
            ({"datetime_created": "2020-01-01 12:00:00.000005"}, ["2020"]),
            ({"datetime_created": "2020-01-01T14:00:00.000005+02:00"}, ["2020"]),
            ({"datetime_created": "2020-01-01T12:00:00Z"}, []),
            ({"datetime_created__year": "2020"}, ["2020"]),
            ({"datetime_created__year": "1"}, []),
            ({"datetime_created__year": "9999"}, []),
            ({"datetime_created__lt": "2020-01-01T12:00:00.000005Z"}, ["2019"]),
            ({"datetime_created__lte": "2020-01-01T12:00:00.000005Z"}, ["2020", "2019"]),
            ({"datetime_created__gt": "2020-01-01T12:00"}, ["2021", "2020"]),
            ({"datetime_created__gte": "2021-01-01T12:00:00.000005"}, ["2021"]),
            ({"datetime_finished__gte": "0001-01-01T00:00:00Z"}, ["2021", "2020"]),
            ({"datetime_finished__lte": "9999-12-31T23:59:59Z"}, ["2021", "2020"]),
            ({"datetime_created__range": "2019-06-01T00:00:00Z,2020-06-01T00:00:00"}, ["2020"]),
            ({"datetime_created__range": "2020-06-01T00:00:00Z,2019-06-01T00:00:00"}, []),
            ({"datetime_created__range": "2020-01-01T12:00:00.000005Z,2020-01-01T12:00:00.000005Z"}, ["2020"]),
            ({"datetime_created__gt": "2019-06-01T00:00Z", "datetime_finished__year": "2021"}, ["2021"]),
        ],
    )
    def test_found(self, owner: Client, query: dict[str, str], found: list[str]) -> None:
        assert names(owner, INSTANCES, **query) == found

    @pytest.mark.parametrize("lookup", ["", "__lt", "__lte", "__gt", "__gte"])
    @pytest.mark.parametrize(
        "value",
        [
            "2020-01-01",
            "20200101",
            "2020-W01-1",
            "2020-01-01T",
            "2020-13-01T00:00:00Z",
            "2020-02-30T00:00:00Z",
            "2020-01-01T25:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2020-01-01T00:00:00 00:00",
            "10000-01-01T00:00:00Z",
            "2020-01-01T12:00:00+99:00",
            "yesterday",
            "\0",
            "٢٠٢٠-01-01T00:00:00Z",
        ],
    )
    def test_bad_values(self, owner: Client, lookup: str, value: str) -> None:
        answer = owner.get(INSTANCES, {f"datetime_created{lookup}": value})
        assert answer.status_code == 400
        message = "Enter a valid date and time, like 2030-01-31T18:00:00Z."
        assert answer.json() == {f"datetime_created{lookup}": [message]}

    @pytest.mark.parametrize("value", ["0", "-1", "10000", "x", "2020.5", "9" * 5000, "1e3"])
    def test_bad_years(self, owner: Client, value: str) -> None:
        answer = owner.get(INSTANCES, {"datetime_created__year": value})
        assert answer.status_code == 400
        assert list(answer.json()) == ["datetime_created__year"]

    @pytest.mark.parametrize(
        "value", ["2020-01-01T00:00:00Z", ",", "2020-01-01T00:00:00Z,", "a,b,c", "2019-01-01,2020-01-01"]
    )
    def test_bad_ranges(self, owner: Client, value: str) -> None:
        answer = owner.get(INSTANCES, {"datetime_created__range": value})
        assert answer.status_code == 400
        assert list(answer.json()) == ["datetime_created__range"]


class TestBooleans:
    """Those of queues."""

    @pytest.mark.parametrize("yes", ["true", "True", "TRUE", "1", "tRuE"])
    @pytest.mark.parametrize("field", ["private", "active", "runs_executable_tasks", "runs_docker_container_tasks"])
    def test_yes(self, owner: Client, world: World, field: str, yes: str) -> None:
        TaskQueue.objects.update(**{field: True})
        TaskQueue.objects.filter(name="other").update(**{field: False})
        assert names(owner, "/api/taskqueues/", **{field: yes}) == ["queue"]

    @pytest.mark.parametrize("no", ["false", "False", "FALSE", "0"])
    def test_no(self, owner: Client, world: World, no: str) -> None:
        TaskQueue.objects.filter(name="other").update(runs_singularity_container_tasks=False)
        assert names(owner, "/api/taskqueues/", runs_singularity_container_tasks=no) == ["other"]

    @pytest.mark.parametrize("value", ["", "yes", "2", "None", "null", "\0", " true"])
    def test_others_are_ignored_in_version_1_alone(self, owner: Client, value: str) -> None:
        assert names(owner, "/api/taskqueues/", private=value) == ["queue", "other"]
        answer = owner.get("/api/taskqueues/", {"private": value}, HTTP_ACCEPT=V2)
        assert (answer.status_code, answer.json()) == (400, {"private": ["Must be a valid boolean."]})


@pytest.mark.parametrize(
    "parameter", ["nonsense", "name__iexact", "id", "password", "user__password__regex", "format", "task_class"]
)
def test_unknown_parameters_are_ignored_in_version_1_alone(owner: Client, world: World, parameter: str) -> None:
    for path in (TYPES, "/api/users/"):
        assert owner.get(path, {parameter: "x"}).json() == owner.get(path).json()
        answer = owner.get2(path, {parameter: "x", "page": 1, "page_size": 10})
        assert (answer.status_code, answer.json()) == (400, {parameter: ["There is no such filter."]})


def test_the_table_is_complete() -> None:
    """Filters as `wire.md` lists them."""
    text = ["", "__contains", "__in", "__startswith", "__endswith", "__regex"]
    ids = ["", "__in"]
    moments = ["", "__year", "__range", "__lt", "__lte", "__gt", "__gte"]

    def names(kinds: dict[str, list[str]]) -> set[str]:
        return {field + lookup for field, lookups in kinds.items() for lookup in lookups}

    type_ = dict.fromkeys(["name", "description", "user__username", "command_to_run"], text)
    type_ |= {"datetime_created": moments}
    instance = dict.fromkeys(["name", "state", "user__username"], text) | dict.fromkeys(
        ["task_type", "task_queue", "schedule"], ids
    )
    instance |= dict.fromkeys(["datetime_created", "datetime_finished", "datetime_changed"], moments)
    instance |= {"uuid": ["__startswith"], "label": [""]}
    booleans = ["private", "active", "runs_executable_tasks"]
    booleans += ["runs_docker_container_tasks", "runs_singularity_container_tasks"]
    type_ |= {"archived": [""]}
    described = dict.fromkeys(["name", "description", "user__username"], text) | {"archived": [""]}
    container = type_ | dict.fromkeys(["container_image", "container_type"], text)
    assert set(filters.USERS.base_filters) == names(dict.fromkeys(["username", "email"], text))
    assert [set(each.base_filters) for each in filters.TYPES.values()] == [names(type_), names(container)]
    assert all(set(each.base_filters) == names(instance) for each in filters.INSTANCES.values())
    assert set(filters.QUEUES.base_filters) == names(described | {key: [""] for key in booleans})
    assert set(filters.WHITELISTS.base_filters) == names(described)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parameter=st.sampled_from(sorted(set(filters.INSTANCES["container"].base_filters) | {"page", "page_size"})),
    value=st.text(max_size=12) | st.text("()[]{}*+?.|^$\\a1,:<>=!-P", max_size=12),
    accept=st.sampled_from(["*/*", V2]),
)
def test_no_value_is_a_crash(owner: Client, parameter: str, value: str, accept: str) -> None:
    answer = owner.get("/api/containertaskinstances/", {parameter: value.encode(errors="replace")}, HTTP_ACCEPT=accept)
    assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize(
    "pattern",
    [r"\p{L}{99999999}", "a{99999999}", "(?:a{100}){100}", "(?:a|b){99999999}", "a{5000}b{5000}", "(?R)", "(?1)(a)"],
)
def test_a_pattern_that_would_take_all_memory_is_refused_before_it_is_compiled(owner: Client, pattern: str) -> None:
    answer = owner.get("/api/executabletasktypes/", {"name__regex": pattern})
    assert answer.status_code == 400
    assert "name__regex" in answer.json()


@pytest.mark.parametrize("pattern", [r"\w{8}(-\w{4}){3}-\w{12}", "(?=.{1,64}$)[a-z]+", "(a|b){1,200}", "x*y+z?"])
def test_ordinary_repeats_are_allowed(owner: Client, pattern: str) -> None:
    assert owner.get("/api/executabletasktypes/", {"name__regex": pattern}).status_code == 200


def test_the_beginning_of_a_uuid(owner: Client, world: World) -> None:
    made = [
        world.make(uuid=each).uuid
        for each in (
            "0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f",
            "0b0c84f5-3dff-4a8d-9f2a-1f2b3c4d5e6f",
            "0b0cffff-ffff-ffff-ffff-ffffffffffff",
            "0b0d0000-0000-0000-0000-000000000000",
        )
    ]

    def found(text: str) -> list[str]:
        answer = owner.get(INSTANCES, {"uuid__startswith": text}, HTTP_ACCEPT=V2)
        assert answer.status_code == 200, answer.content
        return sorted(each["uuid"] for each in answer.json()["results"])

    assert found("0b0c") == found("0B0C") == made[:3]
    assert found("0b0c84f5-3d") == found("0b0c84f53d") == found("0b0c84f5-3D") == made[:2]
    assert found("0b0c84f5-") == made[:2]
    assert found("0b0cf") == made[2:3]
    assert found("0b0d") == made[3:]
    assert found(made[0]) == made[:1]
    assert found("0b0e") == []
    assert set(found("")) >= set(made)
    for bad in ("x", "0b0c-84f5", "0b0c84f5--3", "%", "0b0c84f5-3d7d-4a8d-9f2a-1f2b3c4d5e6f0", "\uff10"):
        answer = owner.get(INSTANCES, {"uuid__startswith": bad}, HTTP_ACCEPT=V2)
        assert (answer.status_code, list(answer.json())) == (400, ["uuid__startswith"]), bad


def test_the_beginning_of_a_uuid_is_found_by_an_index(world: World) -> None:
    given = QueryDict("uuid__startswith=0b0c")
    found = filters.INSTANCES[TaskClass.EXECUTABLE](
        given, TaskInstance.objects.filter(task_class="executable"), strict=True, also=frozenset()
    ).result()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # the table is tiny
    plan = found.order_by("-id")[:10].explain()
    assert re.search(r"uuid>\? AND uuid<\?|Index Cond: \(\(.*uuid >= .* AND .*uuid <= ", plan), plan
