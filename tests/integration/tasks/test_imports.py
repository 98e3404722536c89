"""Bringing things over: a server that imports from itself has everything already, but for what was lost."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from saltant.importing.definitions import make
from saltant.importing.instances import Counted, Importer, Unfinished
from saltant.importing.plan import OnConflict, Plan, Verdict
from saltant.importing.position import Busy, Round, position_of
from saltant.importing.source import Page, Source
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskClass, TaskInstance, TaskQueue, TaskType, TaskWhitelist
from saltant.server.tasks.services import imports
from tests.integration.conftest import V2, Cast, Client, World

URL = "http://there.example/api/"


class InProcess(Source):
    """This very server, asked in version 1; `more` stands for what is there and not here."""

    def __init__(self, client: Client) -> None:
        super().__init__(URL, "token", page_size=2)
        self.client = client
        self.more: dict[str, list[Any]] = {}

    def page(self, path: str, number: int, filters: dict[str, Any] | None = None) -> Page:
        if path in self.more:
            things = self.more[path]
            some = [each for each in things if each["datetime_created"] <= (filters or {}).get(AT_LAST, "9")]
            some = [each for each in some if each["datetime_created"] > (filters or {}).get(SINCE, "")]
            return Page(len(some), some[2 * number - 2 : 2 * number], len(some) > 2 * number)
        said = self.client.get(f"/api/{path}/", {**(filters or {}), "page": number, "page_size": 2}).json()
        return Page(said["count"], said["results"], bool(said["next"]))


AT_LAST, SINCE = "datetime_created__lte", "datetime_created__gt"
DEFINITIONS = ("executabletasktypes", "containertasktypes", "taskwhitelists", "taskqueues")


@pytest.fixture
def source(cast: Cast, world: World) -> Iterator[InProcess]:
    made = InProcess(cast.admin)
    yield made
    made.close()


def said(world: World, second: int, **more: Any) -> dict[str, Any]:
    """An instance as the other server tells it."""
    made: dict[str, Any] = {
        "uuid": str(uuid4()),
        "user": "owner",
        "name": "n",
        "state": "failed",
        "arguments": {"n": second},
    }
    made |= {"task_queue": world.queue.pk, "task_type": world.executable.pk}
    created = f"2020-01-01T00:00:{second:02}.000000Z"
    return {**made, "datetime_created": created, "datetime_finished": created, **more}


def bring(
    source: InProcess,
    folder: Path,
    plan: Plan,
    unfinished: Unfinished = Unfinished.SKIP,
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> Counted:
    with position_of(folder, URL) as position:
        importer = Importer(
            source,
            position,
            TaskClass.EXECUTABLE,
            plan,
            unfinished,
            replan=lambda: Plan(source, OnConflict.SKIP),
            tell=tell,
        )
        return importer.run()


def test_nothing_is_brought_twice(source: InProcess, world: World, tmp_path: Path) -> None:
    for number in range(5):
        world.make(state="successful", name=f"{number}", arguments={"n": number})
    before = list(TaskInstance.objects.values_list("uuid", "name", "state", "arguments", "datetime_created", "user"))
    plan = Plan(source, OnConflict.STOP)
    assert plan.conflicts == []
    assert {item.verdict for item in plan.items} == {Verdict.HERE}
    make(plan, URL, "me")
    assert bring(source, tmp_path, plan) == Counted(found=6, brought=0, here=5, left_out=1)
    assert (
        list(TaskInstance.objects.values_list("uuid", "name", "state", "arguments", "datetime_created", "user"))
        == before
    )


def test_a_list_that_grows_and_things_that_are_none(source: InProcess, world: World, tmp_path: Path) -> None:
    plan = Plan(source, OnConflict.STOP)
    wrong: list[dict[str, Any]] = [
        {"uuid": "x"},
        {"state": "odd"},
        {"name": "\0"},
        {"arguments": []},
        {"task_type": 10**9},
        {"name": 4},
    ]
    there = [said(world, 20 - place, **each) for place, each in enumerate([{}, *wrong, {"arguments": None}, {}])]
    source.more["executabletaskinstances"] = there
    counted = bring(source, tmp_path, plan)
    assert counted == Counted(found=9, brought=3, here=0, left_out=6)
    brought = TaskInstance.objects.filter(message=f"It ran on {URL}.").order_by("pk")
    assert [str(each.uuid) for each in brought] == [
        each["uuid"] for each in reversed(there) if each in brought_of(there)
    ]
    assert {each.user and each.user.username for each in brought} == {"owner"}
    assert [each.snapshot for each in brought] == [{}] * 3
    there.insert(0, said(world, 30, state="running"))
    assert bring(source, tmp_path, plan, Unfinished.TERMINATED).brought == 1
    late = TaskInstance.objects.get(arguments__contains="30")
    assert (late.state, late.reason, late.datetime_finished is not None) == ("terminated", "reported", True)


class Ended(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("pages", range(1, 5))
def test_one_that_goes_on_counts_what_was_looked_at_before(
    source: InProcess, world: World, tmp_path: Path, pages: int
) -> None:
    states = ["failed", "failed", "running", "successful", "failed", "running", "failed"]
    source.more["executabletaskinstances"] = [said(world, 20 - n, state=state) for n, state in enumerate(states)]
    plan, told = Plan(source, OnConflict.STOP), []

    def tell(done: int, count: int) -> None:
        told.append((done, count))
        if len(told) == pages:
            raise Ended

    with pytest.raises(Ended):
        bring(source, tmp_path, plan, tell=tell)
    before = TaskInstance.objects.filter(message=f"It ran on {URL}.").count()
    counted = bring(source, tmp_path, plan, tell=tell)
    assert counted == Counted(found=7, brought=5 - before, here=before, left_out=2)
    assert told[-1] == (7, 7)
    assert not list((tmp_path / "imports").glob("*.json"))
    assert bring(source, tmp_path, plan) == Counted(found=7, brought=0, here=5, left_out=2)


def test_one_begins_anew_where_the_list_is_another(source: InProcess, world: World, tmp_path: Path) -> None:
    source.more["executabletaskinstances"] = [said(world, 20 - n) for n in range(5)]
    plan, told = Plan(source, OnConflict.STOP), []
    with position_of(tmp_path, URL) as position:
        bound = source.more["executabletaskinstances"][0]["datetime_created"]
        position.set("executabletaskinstances", Round(bound, 6, 1, 4, 1))
    counted = bring(source, tmp_path, plan, tell=lambda done, count: told.append((done, count)))
    assert counted == Counted(found=5, brought=5, here=0, left_out=0)
    assert told == [(1, 5), (3, 5), (5, 5)]


def test_what_one_ran_is_not_guessed(source: InProcess, world: World, tmp_path: Path, owner: Client) -> None:
    arguments = {"text": "a", "language": "en"}
    source.more["executabletaskinstances"] = [said(world, 1, arguments=arguments, state="successful")]
    bring(source, tmp_path, Plan(source, OnConflict.STOP))
    [there] = source.more["executabletaskinstances"]
    path = f"/api/executabletaskinstances/{there['uuid']}/"
    assert owner.get2(path).json()["command"] is None
    refused = owner.form("POST", f"{path}clone/", {"as_was": "true"}, HTTP_ACCEPT=V2)
    assert (refused.status_code, list(refused.json())) == (400, ["as_was"])
    assert "what it ran is not known" in refused.json()["as_was"][0]
    many = {"uuids": [there["uuid"]], "as_was": True}
    results = owner.json("POST", "/api/executabletaskinstances/clone/", many, HTTP_ACCEPT=V2).json()["results"]
    assert "what it ran is not known" in str(results)
    clone = owner.form("POST", f"{path}clone/", {}, HTTP_ACCEPT=V2)
    assert (clone.status_code, clone.json()["command"][:2]) == (201, ["count", "--words"])


def test_any_user_there_sees_the_same(source: InProcess, cast: Cast) -> None:
    paths = ("users", *DEFINITIONS, "executabletaskinstances", "containertaskinstances")
    seen = {path: source.all(path) for path in paths}
    source.client = cast.stranger
    assert {path: source.all(path) for path in paths} == seen
    assert cast.worker.get("/api/users/").status_code == 403


def brought_of(there: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [there[0], there[-2], there[-1]]


def test_conflicts(source: InProcess, world: World, tmp_path: Path) -> None:
    [body] = [each for each in source.all("executabletasktypes") if each["id"] == world.executable.pk]
    there = [{**body, "id": 77, "command_to_run": "other"}, {**body, "id": 78, "name": "new", "command_to_run": "'"}]
    source.more["executabletasktypes"] = there
    stopped = Plan(source, OnConflict.STOP)
    assert [(item.there, item.verdict) for item in stopped.conflicts][:2] == [
        (body["name"], Verdict.HERE),
        ("new", Verdict.LEFT_OUT),
    ]
    assert "differs in command_to_run" in stopped.conflicts[0].why
    make(Plan(source, OnConflict.SKIP), URL, "me")
    assert not TaskType.objects.filter(command_to_run="other").exists()
    make(Plan(source, OnConflict.RENAME), URL, "me")
    made = TaskType.objects.get(command_to_run="other")
    assert made.name == f"{body['name']}-imported"
    assert made.user == world.executable.user
    assert AuditEntry.objects.filter(actor="me", object_name=made.name).count() == 1
    again = Plan(source, OnConflict.RENAME)
    assert Verdict.NEW not in {item.verdict for item in again.items if item.kind.path == "executabletasktypes"}
    assert again.names("executabletasktypes")[77] == made.name


def test_a_new_whitelist_may_hold_what_is_archived_here(source: InProcess, world: World) -> None:
    [body] = [each for each in source.all("taskwhitelists") if each["id"] == world.whitelist.pk]
    body["datetime_created"] = "2020"
    source.more["taskwhitelists"] = [body, {**body, "id": 77, "name": "new"}]
    services.set_archived(world.executable, True, by="me")
    make(Plan(source, OnConflict.STOP), URL, "me")
    made = TaskWhitelist.objects.get(name="new")
    assert set(made.task_types.all()) == set(world.whitelist.task_types.all()) >= {world.executable}
    again = Plan(source, OnConflict.STOP)
    assert [item.verdict for item in again.items if item.there == "new"] == [Verdict.HERE]


def test_what_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Only what has ended"):
        imports.bring([world.instance])
    with position_of(tmp_path, URL), pytest.raises(Busy), position_of(tmp_path, URL):
        pass
    assert TaskQueue.objects.count() == 2
