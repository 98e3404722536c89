"""Who may do what: every role at every endpoint."""

import pytest

from saltant.server.api.urls import urlpatterns
from tests.integration.conftest import ROLES, V2, Cast, World

READ = dict.fromkeys(ROLES, 200) | {"nobody": 401, "worker": 403, "other_worker": 403}
CREATE = {role: 201 if status == 200 else status for role, status in READ.items()}
OWNER = READ | {"stranger": 403, "queue_owner": 403}
QUEUE = READ | {"stranger": 403, "owner": 403}
END = {role: 202 if status == 200 else status for role, status in (READ | {"stranger": 403}).items()}
REPORT = OWNER | {"worker": 200}
TYPE = {"name": "{role}", "command_to_run": "true"}
CONTAINER = TYPE | {"container_image": "i", "container_type": "docker"}

MATRIX = {
    "executable-type-list": ("executabletasktypes/", {"GET": READ, "POST": CREATE}, TYPE),
    "executable-type-detail": ("executabletasktypes/{executable}/", {"GET": READ, "PUT": OWNER}, TYPE),
    "container-type-list": ("containertasktypes/", {"GET": READ, "POST": CREATE}, CONTAINER),
    "container-type-detail": ("containertasktypes/{container}/", {"GET": READ, "PUT": OWNER}, CONTAINER),
    "whitelist-list": ("taskwhitelists/", {"GET": READ, "POST": CREATE}, {"name": "{role}"}),
    "whitelist-detail": (
        "taskwhitelists/{whitelist}/",
        {"GET": READ, "PUT": OWNER, "PATCH": OWNER},
        {"name": "{role}"},
    ),
    "queue-list": ("taskqueues/", {"GET": READ, "POST": CREATE}, {"name": "{role}"}),
    "queue-detail": ("taskqueues/{queue}/", {"GET": READ, "PUT": QUEUE, "PATCH": QUEUE}, {"name": "{role}"}),
    "user-list": ("users/", {"GET": READ}, {}),
    "user-detail": ("users/owner/", {"GET": READ}, {}),
    "executable-instance-list": (
        "executabletaskinstances/",
        {"GET": READ, "POST": CREATE},
        {"task_queue": "{queue}", "task_type": "{executable}", "arguments": '{{"text": ""}}'},
    ),
    "executable-instance-detail": ("executabletaskinstances/{instance}/", {"GET": READ}, {}),
    "executable-instance-clone": ("executabletaskinstances/{instance}/clone/", {"POST": CREATE}, {}),
    "executable-instance-terminate": ("executabletaskinstances/{instance}/terminate/", {"POST": END}, {}),
    "container-instance-list": (
        "containertaskinstances/",
        {"GET": READ, "POST": CREATE},
        {"task_queue": "{queue}", "task_type": "{container}"},
    ),
    "container-instance-detail": ("containertaskinstances/{container_instance}/", {"GET": READ}, {}),
    "container-instance-clone": ("containertaskinstances/{container_instance}/clone/", {"POST": CREATE}, {}),
    "container-instance-terminate": ("containertaskinstances/{container_instance}/terminate/", {"POST": END}, {}),
    "state": ("updatetaskinstancestatus/{instance}/", {"PATCH": REPORT}, {"state": "running"}),
}
OPEN = {"token", "token-refresh"}
"""Endpoints whose callers have nothing yet to show."""


def test_no_endpoint_is_without_a_row() -> None:
    assert {pattern.name for pattern in urlpatterns} == MATRIX.keys() | OPEN


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, (_, methods, _) in MATRIX.items() for method in methods]
)
def test_matrix(cast: Cast, world: World, name: str, method: str, version: str) -> None:
    path, methods, body = MATRIX[name]
    values = {
        "executable": world.executable.id,
        "container": world.container.id,
        "whitelist": world.whitelist.id,
        "queue": world.queue.id,
        "instance": world.instance.uuid,
        "container_instance": world.container_instance.uuid,
    }
    got = {}
    for role in ROLES:
        sent = {key: value.format(**values, role=f"by-{role}") for key, value in body.items()}
        extra = {"HTTP_ACCEPT": V2} if version == "2" else {}
        got[role] = cast[role].form(method, f"/api/{path.format(**values)}", sent, **extra).status_code
    assert got == methods[method]


@pytest.mark.parametrize("name", MATRIX)
def test_other_methods_are_405_for_those_who_may_come_in(cast: Cast, world: World, name: str) -> None:
    path, methods, _ = MATRIX[name]
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods.keys():
        path = path.replace("{", "").replace("}", "")
        assert cast.owner.form(method, f"/api/{path}").status_code == 405
        assert cast.nobody.form(method, f"/api/{path}").status_code == 401


def test_403_has_its_words(cast: Cast, world: World) -> None:
    for client, path in ((cast.worker, "/api/users/"), (cast.stranger, f"/api/taskqueues/{world.queue.id}/")):
        method = "GET" if client is cast.worker else "PATCH"
        answer = client.form(method, path, {})
        assert answer.status_code == 403
        assert answer.content == b'{"detail":"You do not have permission to perform this action."}'
