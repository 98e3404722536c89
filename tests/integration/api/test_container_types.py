"""How containers are run: version 2 reads and shows it, version 1 leaves it alone."""

from typing import Any

import pytest

from saltant.server.api.container_fields import CONTAINER
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance, TaskType, TaskWhitelist
from tests.integration.conftest import V2, Cast, Client, World

PATH = "/api/containertasktypes/"
TYPE = {"name": "t", "command_to_run": "x", "container_image": "i", "container_type": "docker"}
ALL = {
    "pull_policy": "always",
    "network": "none",
    "container_user": "1000:staff",
    "read_only_root": True,
    "shm_size": 2**26,
}
NONE = {
    "pull_policy": "if_missing",
    "network": "default",
    "container_user": "",
    "read_only_root": False,
    "shm_size": None,
}


def send(client: Client, method: str, path: str, body: dict[str, Any], form: str) -> Any:
    if form == "form":
        body = {key: "" if value is None else value for key, value in body.items()}
        return client.form(method, path, body, HTTP_ACCEPT=V2)
    return client.json(method, path, body, HTTP_ACCEPT=V2)


def options(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in CONTAINER}


@pytest.mark.parametrize("form", ["form", "json"])
def test_what_is_said_is_kept(owner: Client, world: World, form: str) -> None:
    assert options(send(owner, "POST", PATH, TYPE | {"name": "plain"}, form).json()) == NONE
    made = send(owner, "POST", PATH, TYPE | ALL, form)
    assert made.status_code == 201, made.content
    assert options(made.json()) == ALL
    one = f"{PATH}{made.json()['id']}/"
    assert not set(CONTAINER).intersection(owner.get(one).json())
    assert owner.form("PUT", one, TYPE | {"network": "?"}).status_code == 200, "version 1 does not look at them"
    assert options(owner.get2(one).json()) == ALL
    assert options(send(owner, "PUT", one, TYPE | {"shm_size": None}, form).json()) == ALL | {"shm_size": None}


def test_an_instance_runs_with_what_its_type_said_at_its_creation(cast: Cast, world: World) -> None:
    TaskType.objects.filter(pk=world.container.pk).update(**ALL)
    world.container.refresh_from_db()
    made = services.submit(user=world.users["owner"], task_type=world.container, task_queue=world.queue)
    TaskType.objects.filter(pk=world.container.pk).update(**NONE)
    snapshot = TaskInstance.objects.get(pk=made.pk).snapshot
    assert {name: snapshot[name] for name in CONTAINER} == ALL


@pytest.mark.parametrize("form", ["form", "json"])
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("pull_policy", "often", "not a valid choice"),
        ("pull_policy", "", "not a valid choice"),
        ("network", "bridge", "not a valid choice"),
        ("container_user", "a b", "name or a number"),
        ("container_user", "1000:", "name or a number"),
        ("container_user", ":1", "name or a number"),
        ("container_user", "-u", "name or a number"),
        ("container_user", "4294967295", "name or a number"),
        ("container_user", "root\n", "name or a number"),
        ("container_user", "٣", "name or a number"),
        ("container_user", "x" * 33, "name or a number"),
        ("container_user", "x" * 70, "65 characters"),
        ("read_only_root", "perhaps", "valid boolean"),
        ("shm_size", 2**20 - 1, "greater than or equal to 1048576"),
        ("shm_size", 2**63, "less than or equal to"),
        ("shm_size", "64m", "valid integer"),
    ],
)
def test_what_cannot_be(owner: Client, form: str, name: str, value: Any, words: str) -> None:
    answer = send(owner, "POST", PATH, TYPE | {name: value}, form)
    assert (answer.status_code, list(answer.json())) == (400, [name])
    assert words in str(answer.json()[name])


@pytest.mark.parametrize("value", [None, [], {}, 5])
@pytest.mark.parametrize("name", ["pull_policy", "network", "container_user", "read_only_root"])
def test_what_is_of_another_kind(owner: Client, name: str, value: Any) -> None:
    answer = send(owner, "POST", PATH, TYPE | {name: value}, "json")
    assert (answer.status_code, list(answer.json())) == (400, [name])


@pytest.mark.parametrize(("name", "value"), [("container_user", "1000"), ("shm_size", 2**26)])
def test_singularity_lacks_some(owner: Client, world: World, name: str, value: Any) -> None:
    singularity = TYPE | {"container_type": "singularity"}
    answer = send(owner, "POST", PATH, singularity | {name: value}, "json")
    assert (answer.status_code, list(answer.json())) == (400, [name])
    assert "or use Docker" in answer.json()[name][0]
    made = send(owner, "POST", PATH, TYPE | {name: value}, "json").json()
    one = f"{PATH}{made['id']}/"
    assert send(owner, "PUT", one, singularity, "json").status_code == 400
    assert owner.form("PUT", one, singularity).status_code == 400
    assert send(owner, "PUT", one, singularity | {name: NONE[name]}, "json").status_code == 200
    other = ALL | {"container_user": "", "shm_size": None}
    assert send(owner, "POST", PATH, singularity | other | {"name": "other"}, "json").status_code == 201


@pytest.mark.parametrize(("name", "is_taken_off"), [(name, name != "shm_size") for name in CONTAINER])
def test_who_whitelisted_a_type_did_not_whitelist_another_container(
    owner: Client, world: World, name: str, is_taken_off: bool
) -> None:
    made = send(owner, "POST", PATH, TYPE, "json").json()
    foreign = TaskWhitelist.objects.create(name="foreign", user=world.users["queue_owner"])
    foreign.task_types.add(made["id"])
    assert send(owner, "PUT", f"{PATH}{made['id']}/", TYPE | {name: ALL[name]}, "json").status_code == 200
    assert foreign.task_types.exists() is not is_taken_off
