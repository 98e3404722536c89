"""How long, how often and with how much: version 2 reads and shows it, version 1 leaves it alone."""

import json
from typing import Any

import pytest

from saltant.server.tasks.models import LIMITS, TaskInstance
from tests.integration.conftest import V2, Client, World

TYPES, INSTANCES = "/api/executabletasktypes/", "/api/executabletaskinstances/"
ALL = {
    "timeout": 1.5,
    "queue_timeout": 60.0,
    "max_attempts": 3,
    "retry_on": "failed",
    "retry_delay": 0.0,
    "memory": 2**30,
    "cpus": 0.5,
    "priority": 9,
    "gpus": 2,
}
NONE = dict.fromkeys(LIMITS) | {"max_attempts": 1, "retry_on": "lost", "retry_delay": 5.0, "priority": 5}


def limits(body: dict[str, Any]) -> dict[str, Any]:
    """The limits in a body, which are all there, one after the other."""
    first = list(body).index(LIMITS[0])
    assert list(body)[first : first + len(LIMITS)] == list(LIMITS)
    return {name: body[name] for name in LIMITS}


def sent(send: str, client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    """The answer to a version-2 request."""
    if send == "form":
        body = {key: "" if value is None else value for key, value in body.items()}
        body = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in body.items()}
    return getattr(client, send)(method, path, body, HTTP_ACCEPT=V2)


@pytest.mark.parametrize("send", ["form", "json"])
@pytest.mark.parametrize("task_class", ["executable", "container"])
def test_on_types(owner: Client, world: World, send: str, task_class: str) -> None:
    path = f"/api/{task_class}tasktypes/"
    body = {"name": "t", "command_to_run": "x"}
    if task_class == "container":
        body |= {"container_image": "i", "container_type": "docker"}
    plain = sent(send, owner, "POST", path, body | {"name": "plain"})
    assert (plain.status_code, limits(plain.json())) == (201, NONE)
    made = sent(send, owner, "POST", path, body | ALL).json()
    assert limits(made) == ALL
    one = f"{path}{made['id']}/"
    assert limits(owner.get2(one).json()) == ALL
    of_version_1 = list(owner.get(one).json())
    assert list(made)[: len(of_version_1)] == of_version_1
    assert not set(LIMITS) & set(of_version_1)
    kept = getattr(owner, send)("PUT", one, body | NONE | {"max_attempts": 7, "timeout": -1})
    assert kept.status_code == 200, "version 1 does not look at them"
    assert limits(owner.get2(one).json()) == ALL
    assert sent(send, owner, "PUT", one, body | {"max_attempts": 7, "memory": None}).status_code == 200
    assert limits(owner.get2(one).json()) == ALL | {"max_attempts": 7, "memory": None}


@pytest.mark.parametrize("send", ["form", "json"])
def test_on_instances_they_win_over_those_of_the_type(owner: Client, world: World, send: str) -> None:
    for name, value in ALL.items():
        setattr(world.executable, name, value)
    world.executable.save()
    body = {"task_queue": world.queue.id, "task_type": world.executable.id, "arguments": {"text": "a"}}
    assert limits(sent(send, owner, "POST", INSTANCES, body).json()) == ALL
    own = {"timeout": 2.0, "memory": None, "max_attempts": 1, "retry_on": "lost"}
    made = sent(send, owner, "POST", INSTANCES, body | own).json()
    assert limits(made) == ALL | own
    assert limits(owner.get2(f"{INSTANCES}{made['uuid']}/").json()) == ALL | own
    clone = owner.post(f"{INSTANCES}{made['uuid']}/clone/", HTTP_ACCEPT=V2).json()
    assert limits(clone) == ALL | own
    first = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in (body | own).items()}
    assert "timeout" not in owner.form("POST", INSTANCES, first).json()
    newest = TaskInstance.objects.first()
    assert newest is not None
    assert newest.timeout == 1.5, "version 1 does not look at them"


@pytest.mark.parametrize("send", ["form", "json"])
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("timeout", 0, "greater than 0"),
        ("timeout", -1, "greater than 0"),
        ("timeout", 1e10, "less than or equal to 1000000000"),
        ("timeout", 10**400, "less than or equal to"),
        ("timeout", -(10**400), "greater than 0"),
        ("timeout", "nan", "valid number"),
        ("timeout", "inf", "valid number"),
        ("timeout", "1_0", "valid number"),
        ("timeout", "soon", "valid number"),
        ("timeout", "1" * 5000, "valid number"),
        ("queue_timeout", 0, "greater than 0"),
        ("max_attempts", 0, "greater than or equal to 1"),
        ("max_attempts", 101, "less than or equal to 100"),
        ("max_attempts", 1.5, "valid integer"),
        ("max_attempts", None, ""),
        ("retry_on", "always", "not a valid choice"),
        ("retry_delay", -0.1, "greater than or equal to 0"),
        ("retry_delay", 3601, "less than or equal to 3600"),
        ("retry_delay", None, ""),
        ("memory", 2**20 - 1, "greater than or equal to 1048576"),
        ("memory", 2**63, "less than or equal to"),
        ("memory", "1 GB", "valid integer"),
        ("cpus", 0, "greater than or equal to 0.01"),
        ("priority", -1, "greater than or equal to 0"),
        ("priority", 10, "less than or equal to 9"),
        ("priority", 1.5, "valid integer"),
        ("priority", None, ""),
        ("gpus", 0, "greater than or equal to 1"),
        ("gpus", 1001, "less than or equal to 1000"),
        ("gpus", "all", "valid integer"),
    ],
)
def test_what_cannot_be(owner: Client, world: World, send: str, name: str, value: Any, words: str) -> None:
    if send == "form" and isinstance(value, int) and abs(value) > 2**64:
        value = "1e308" if value > 0 else "-1e308"
    instance = {"task_queue": world.queue.id, "task_type": world.executable.id, "arguments": {"text": "a"}}
    for path, body in ((TYPES, {"name": "n", "command_to_run": "x"}), (INSTANCES, instance)):
        answer = sent(send, owner, "POST", path, body | {name: value})
        assert answer.status_code == 400
        assert list(answer.json()) == [name]
        assert words in answer.json()[name][0]


@pytest.mark.parametrize("value", [True, [], {}, [1]])
@pytest.mark.parametrize("name", LIMITS)
def test_what_is_no_number(owner: Client, name: str, value: Any) -> None:
    answer = owner.json("POST", TYPES, {"name": "n", "command_to_run": "x", name: value}, HTTP_ACCEPT=V2)
    assert (answer.status_code, list(answer.json())) == (400, [name])
