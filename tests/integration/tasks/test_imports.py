"""Bringing things over: a server that imports from itself has everything already, but for what was lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from saltant.importing.definitions import make
from saltant.importing.instances import Counted, Importer, Unfinished
from saltant.importing.plan import OnConflict, Plan, Verdict
from saltant.importing.position import Busy, position_of
from saltant.importing.source import Page, Source
from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskClass, TaskInstance, TaskQueue, TaskType, TaskWhitelist
from saltant.server.tasks.services import imports
from tests.integration.conftest import Cast, Client, World

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


@pytest.fixture
def source(cast: Cast, world: World) -> Iterator[InProcess]:
    made = InProcess(cast.admin)
    yield made
    made.close()


def bring(source: InProcess, folder: Path, plan: Plan, unfinished: Unfinished = Unfinished.SKIP) -> Counted:
    with position_of(folder, URL) as position:
        importer = Importer(
            source,
            position,
            TaskClass.EXECUTABLE,
            plan,
            unfinished,
            replan=lambda: Plan(source, OnConflict.SKIP),
            tell=lambda done, count: None,
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

    def said(second: int, **more: Any) -> dict[str, Any]:
        made = {"uuid": str(uuid4()), "user": "owner", "name": "n", "state": "failed", "arguments": {"n": second}}
        made |= {"task_queue": world.queue.pk, "task_type": world.executable.pk}
        created = f"2020-01-01T00:00:{second:02}.000000Z"
        return {**made, "datetime_created": created, "datetime_finished": created, **more}

    wrong = [{"uuid": "x"}, {"state": "odd"}, {"name": "\0"}, {"arguments": []}, {"task_type": 10**9}, {"name": 4}]
    there = [said(20 - place, **each) for place, each in enumerate([{}, *wrong, {"arguments": None}, {}])]
    source.more["executabletaskinstances"] = there
    counted = bring(source, tmp_path, plan)
    assert counted == Counted(found=9, brought=3, here=0, left_out=6)
    brought = TaskInstance.objects.filter(message=f"It ran on {URL}.").order_by("pk")
    assert [str(each.uuid) for each in brought] == [
        each["uuid"] for each in reversed(there) if each in brought_of(there)
    ]
    assert {each.user and each.user.username for each in brought} == {"owner"}
    there.insert(0, said(30, state="running"))
    assert bring(source, tmp_path, plan, Unfinished.TERMINATED).brought == 1
    late = TaskInstance.objects.get(arguments__contains="30")
    assert (late.state, late.reason, late.datetime_finished is not None) == ("terminated", "reported", True)


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
