"""taskwhitelists/."""

import pytest

from saltant.server.tasks.models import TaskType
from tests.integration.conftest import Client, World

PATH = "/api/taskwhitelists/"
CONTAINERS, EXECUTABLES = "whitelisted_container_task_types", "whitelisted_executable_task_types"


def test_exact_body(owner: Client, world: World) -> None:
    body = (
        f'{{"id":{world.whitelist.id},"user":"owner","name":"list","description":"",'
        f'"{CONTAINERS}":[{world.container.id}],"{EXECUTABLES}":[{world.executable.id}]}}'
    )
    assert owner.get(f"{PATH}{world.whitelist.id}/").content.decode() == body
    assert owner.get(PATH).content.decode() == f'{{"count":1,"next":null,"previous":null,"results":[{body}]}}'


@pytest.mark.parametrize("send", ["form", "json"])
def test_create(owner: Client, world: World, send: str) -> None:
    assert getattr(owner, send)("POST", PATH, {"name": "w"}).json()[CONTAINERS] == []
    more = TaskType.objects.create(name="b", task_class="executable", command_to_run="b")
    sent = {"name": "v", EXECUTABLES: [more.id, world.executable.id, more.id]}
    answer = getattr(owner, send)("POST", PATH, sent)
    assert answer.status_code == 201
    assert (answer.json()[CONTAINERS], answer.json()[EXECUTABLES]) == ([], [world.executable.id, more.id])


def test_a_type_of_the_other_class_is_unknown(owner: Client, world: World) -> None:
    answer = owner.form("POST", PATH, {"name": "w", CONTAINERS: [world.executable.id]})
    assert answer.status_code == 400
    assert answer.json() == {CONTAINERS: [f'Invalid pk "{world.executable.id}" - object does not exist.']}


def test_changes_touch_the_named_class_only(owner: Client, world: World) -> None:
    path = f"{PATH}{world.whitelist.id}/"
    both = ([world.container.id], [world.executable.id])

    def lists(answer: object) -> tuple[list[int], list[int]]:
        body = answer.json()  # type: ignore[attr-defined]
        return body[CONTAINERS], body[EXECUTABLES]

    assert lists(owner.form("PATCH", path, {"description": "d"})) == both
    assert lists(owner.json("PUT", path, {"name": "list"})) == both
    assert lists(owner.json("PATCH", path, {CONTAINERS: []})) == ([], both[1])
    assert lists(owner.form("PATCH", path, {CONTAINERS: both[0]})) == both
    assert lists(owner.form("PUT", path, {"name": "list", EXECUTABLES: both[1]})) == ([], both[1])
    assert lists(owner.form("PUT", path, {"name": "list"})) == ([], [])


def test_a_name_in_use_or_too_long(owner: Client) -> None:
    answer = owner.form("POST", PATH, {"name": "list"})
    assert (answer.status_code, answer.json()) == (400, {"name": ["task whitelist with this name already exists."]})
    assert owner.form("POST", PATH, {"name": "x" * 51}).status_code == 400


def test_many_ids(owner: Client, django_assert_max_num_queries: object) -> None:
    TaskType.objects.bulk_create(
        TaskType(name=f"t{number}", task_class="executable", command_to_run="x") for number in range(3000)
    )
    ids = sorted(TaskType.objects.filter(task_class="executable").values_list("pk", flat=True))
    with django_assert_max_num_queries(60):  # type: ignore[operator]
        answer = owner.json("POST", PATH, {"name": "many", EXECUTABLES: ids})
    assert answer.json()[EXECUTABLES] == ids
    assert owner.json("PATCH", f"{PATH}{answer.json()['id']}/", {EXECUTABLES: ids[:1]}).json()[EXECUTABLES] == ids[:1]
