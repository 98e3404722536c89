"""Who may do what: every role at every endpoint, by every method, in both versions."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLResolver
from django.utils import timezone

from saltant.server.tasks.models import Worker
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.urls import urlpatterns
from saltant.server.web.urls import urlpatterns as pages
from tests.integration.conftest import ROLES, V2, Cast, Client, World

READ = dict.fromkeys(ROLES, 200) | {"nobody": 401, "worker": 403, "other_worker": 403}
CREATE = {role: 201 if status == 200 else status for role, status in READ.items()}
OWNER = READ | {"stranger": 403, "queue_owner": 403}
QUEUE = READ | {"stranger": 403, "owner": 403}
END = {role: 202 if status == 200 else status for role, status in (READ | {"stranger": 403}).items()}
REPORT = OWNER | {"worker": 200}
ADMIN = QUEUE | {"queue_owner": 403}
DRAIN = {role: 202 if status == 200 else status for role, status in OWNER.items()}
OWN_CREATE = {role: 201 if status == 200 else status for role, status in OWNER.items()}
USED = {role: 409 if status == 200 else status for role, status in OWNER.items()}
USED_QUEUE = {role: 409 if status == 200 else status for role, status in QUEUE.items()}
GONE = {role: 204 if status == 200 else status for role, status in OWNER.items()}
ABSENT = {role: 404 if status == 200 else status for role, status in READ.items()}
TYPE = {"name": "{role}", "command_to_run": "true"}
SCHEDULE = {"name": "{role}", "task_type": "{container}", "task_queue": "{queue}", "cron": "0 0 1 1 *"}
CONTAINER = TYPE | {"container_image": "i", "container_type": "docker"}

MATRIX = {
    "executable-type-list": ("executabletasktypes/", {"GET": READ, "POST": CREATE}, TYPE),
    "executable-type-detail": (
        "executabletasktypes/{executable}/",
        {"GET": READ, "PUT": OWNER, "DELETE": USED},
        TYPE,
    ),
    "executable-type-archive": ("executabletasktypes/{executable}/archive/", {"POST": OWNER}, {}),
    "executable-type-unarchive": ("executabletasktypes/{executable}/unarchive/", {"POST": OWNER}, {}),
    "container-type-list": ("containertasktypes/", {"GET": READ, "POST": CREATE}, CONTAINER),
    "container-type-detail": (
        "containertasktypes/{container}/",
        {"GET": READ, "PUT": OWNER, "DELETE": USED},
        CONTAINER,
    ),
    "container-type-archive": ("containertasktypes/{container}/archive/", {"POST": OWNER}, {}),
    "container-type-unarchive": ("containertasktypes/{container}/unarchive/", {"POST": OWNER}, {}),
    "executable-type-revisions": ("executabletasktypes/{executable}/revisions/", {"GET": READ}, {}),
    "executable-type-revision": ("executabletasktypes/{executable}/revisions/1/", {"GET": READ}, {}),
    "executable-type-diff": ("executabletasktypes/{executable}/revisions/1/diff/", {"GET": READ}, {}),
    "executable-type-restore": ("executabletasktypes/{executable}/revisions/1/restore/", {"POST": OWNER}, {}),
    "container-type-revisions": ("containertasktypes/{container}/revisions/", {"GET": READ}, {}),
    "container-type-revision": ("containertasktypes/{container}/revisions/1/", {"GET": READ}, {}),
    "container-type-diff": ("containertasktypes/{container}/revisions/1/diff/", {"GET": READ}, {}),
    "container-type-restore": ("containertasktypes/{container}/revisions/1/restore/", {"POST": OWNER}, {}),
    "whitelist-list": ("taskwhitelists/", {"GET": READ, "POST": CREATE}, {"name": "{role}"}),
    "whitelist-detail": (
        "taskwhitelists/{whitelist}/",
        {"GET": READ, "PUT": OWNER, "PATCH": OWNER, "DELETE": USED},
        {"name": "{role}"},
    ),
    "whitelist-archive": ("taskwhitelists/{whitelist}/archive/", {"POST": OWNER}, {}),
    "whitelist-unarchive": ("taskwhitelists/{whitelist}/unarchive/", {"POST": OWNER}, {}),
    "whitelist-add": ("taskwhitelists/{whitelist}/add/", {"POST": OWNER}, {"executable_task_types": "{executable}"}),
    "whitelist-remove": (
        "taskwhitelists/{whitelist}/remove/",
        {"POST": OWNER},
        {"executable_task_types": "{executable}"},
    ),
    "queue-list": ("taskqueues/", {"GET": READ, "POST": CREATE}, {"name": "{role}"}),
    "queue-detail": (
        "taskqueues/{queue}/",
        {"GET": READ, "PUT": QUEUE, "PATCH": QUEUE, "DELETE": USED_QUEUE},
        {"name": "{role}"},
    ),
    "queue-archive": ("taskqueues/{queue}/archive/", {"POST": QUEUE}, {}),
    "queue-unarchive": ("taskqueues/{queue}/unarchive/", {"POST": QUEUE}, {}),
    "schedule-list": ("schedules/", {"GET": READ, "POST": CREATE}, SCHEDULE),
    "schedule-detail": (
        "schedules/{schedule}/",
        {"GET": READ, "PUT": OWNER, "PATCH": OWNER, "DELETE": GONE},
        SCHEDULE,
    ),
    "schedule-run": ("schedules/{schedule}/run/", {"POST": OWN_CREATE}, {}),
    "schedule-times": ("schedules/{schedule}/times/", {"GET": READ}, {}),
    "user-list": ("users/", {"GET": READ}, {}),
    "user-me": ("me/", {"GET": READ}, {}),
    "user-detail": ("users/owner/", {"GET": READ, "PATCH": ADMIN}, {"max_running": "1"}),
    "executable-instance-list": (
        "executabletaskinstances/",
        {"GET": READ, "POST": CREATE},
        {"task_queue": "{queue}", "task_type": "{executable}", "arguments": '{{"text": ""}}'},
    ),
    "executable-instance-many": (
        "executabletaskinstances/many/",
        {"POST": READ},
        {"instances": '[{{"task_queue": {queue}, "task_type": {executable}, "arguments": {{"text": ""}}}}]'},
    ),
    "executable-instance-clone-many": (
        "executabletaskinstances/clone/",
        {"POST": READ},
        {"uuids": '["{instance}"]'},
    ),
    "executable-instance-terminate-many": (
        "executabletaskinstances/terminate/",
        {"POST": READ},
        {"uuids": '["{instance}"]'},
    ),
    "executable-instance-detail": (
        "executabletaskinstances/{instance}/",
        {"GET": READ, "PATCH": OWNER},
        {"labels": '{{"a": "{role}"}}'},
    ),
    "executable-instance-after": ("executabletaskinstances/{instance}/after/", {"GET": READ}, {}),
    "executable-instance-dependents": ("executabletaskinstances/{instance}/dependents/", {"GET": READ}, {}),
    "executable-instance-attempts": ("executabletaskinstances/{instance}/attempts/", {"GET": READ}, {}),
    "executable-instance-logs": ("executabletaskinstances/{instance}/logs/", {"GET": READ}, {}),
    "executable-instance-log": ("executabletaskinstances/{instance}/logs/stdout", {"GET": READ}, {}),
    "executable-instance-results": ("executabletaskinstances/{instance}/results/", {"GET": READ}, {}),
    "executable-instance-result": ("executabletaskinstances/{instance}/results/a", {"GET": ABSENT}, {}),
    "executable-instance-results-zip": ("executabletaskinstances/{instance}/results.zip", {"GET": READ}, {}),
    "executable-instance-results-tar": ("executabletaskinstances/{instance}/results.tar", {"GET": READ}, {}),
    "executable-instance-clone": ("executabletaskinstances/{instance}/clone/", {"POST": CREATE}, {}),
    "executable-instance-terminate": ("executabletaskinstances/{instance}/terminate/", {"POST": END}, {}),
    "executable-instance-counts": ("executabletaskinstances/counts/?by=state&by=label:a", {"GET": READ}, {}),
    "container-instance-counts": ("containertaskinstances/counts/", {"GET": READ}, {}),
    "container-instance-list": (
        "containertaskinstances/",
        {"GET": READ, "POST": CREATE},
        {"task_queue": "{queue}", "task_type": "{container}"},
    ),
    "container-instance-many": ("containertaskinstances/many/", {"POST": READ}, {"instances": "[0]"}),
    "container-instance-clone-many": ("containertaskinstances/clone/", {"POST": READ}, {"uuids": '["x"]'}),
    "container-instance-terminate-many": ("containertaskinstances/terminate/", {"POST": READ}, {"uuids": '["x"]'}),
    "container-instance-detail": (
        "containertaskinstances/{container_instance}/",
        {"GET": READ, "PATCH": OWNER},
        {"name": "{role}"},
    ),
    "container-instance-after": ("containertaskinstances/{container_instance}/after/", {"GET": READ}, {}),
    "container-instance-dependents": ("containertaskinstances/{container_instance}/dependents/", {"GET": READ}, {}),
    "container-instance-attempts": ("containertaskinstances/{container_instance}/attempts/", {"GET": READ}, {}),
    "container-instance-logs": ("containertaskinstances/{container_instance}/logs/", {"GET": READ}, {}),
    "container-instance-log": ("containertaskinstances/{container_instance}/logs/stdout", {"GET": READ}, {}),
    "container-instance-results": ("containertaskinstances/{container_instance}/results/", {"GET": READ}, {}),
    "container-instance-result": ("containertaskinstances/{container_instance}/results/a", {"GET": ABSENT}, {}),
    "container-instance-results-zip": ("containertaskinstances/{container_instance}/results.zip", {"GET": READ}, {}),
    "container-instance-results-tar": ("containertaskinstances/{container_instance}/results.tar", {"GET": READ}, {}),
    "container-instance-clone": ("containertaskinstances/{container_instance}/clone/", {"POST": CREATE}, {}),
    "container-instance-terminate": ("containertaskinstances/{container_instance}/terminate/", {"POST": END}, {}),
    "worker-list": ("workers/", {"GET": READ}, {}),
    "worker-detail": ("workers/node/", {"GET": READ}, {}),
    "worker-drain": ("workers/node/drain/", {"POST": DRAIN}, {}),
    "wait": ("wait/", {"POST": READ}, {"uuids": '["{instance}"]'}),
    "events": ("events/", {"GET": READ}, {}),
    "state": ("updatetaskinstancestatus/{instance}/", {"PATCH": REPORT}, {"state": "running"}),
}
WORKERS = {"worker": 403, "other_worker": 403}
ONLY_IN_2 = {
    ("user-detail", "PATCH"),
    ("executable-instance-detail", "PATCH"),
    ("container-instance-detail", "PATCH"),
    *((f"{name}-detail", "DELETE") for name in ("executable-type", "container-type", "queue", "whitelist")),
}
"""What version 1 does not have, at paths that it has."""

CONTROL = ["announce", "claim", "heartbeat", "finish", "exchange", "leave", "live"]
"""What workers say, and nobody else."""
FILES = ["logs", "offer", "data"]
"""Likewise, with bodies of their own: `tests/integration/files/test_endpoints.py`."""

OWN = {"own-tokens", "own-token"}
"""What is one's own alone: `test_own_tokens.py`."""

OPEN = {
    "token": ("/api/token/", "POST", 400),
    "token-refresh": ("/api/token/refresh/", "POST", 400),
    "schema": ("/api/schema/", "GET", 200),
    "reference": ("/api/docs/", "GET", 200),
    "readyz": ("/readyz", "GET", None),
    "login": ("/login/", "GET", 200),
}
"""Endpoints that are open to all; what they answer to a request that says nothing. Readiness depends on the server."""

SESSION = {"home": ("/", "GET"), "logout": ("/logout/", "GET")}
"""Pages, for people who have signed in with a browser: no key opens them."""

PAGES = {str(each.name) for each in pages} - OPEN.keys() - SESSION.keys()
"""Pages whose matrix is `tests/pages/all_pages.py`; that they ask who one is: `tests/integration/web`."""

ELSEWHERE = {"admin/"}
"""What has a matrix of its own: `tests/integration/admin`."""

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
CELLS = [(name, method) for name, (_, methods, _) in MATRIX.items() for method in methods]


def ids_of(world: World) -> dict[str, object]:
    """What paths and bodies of the matrix name."""
    return {
        "executable": world.executable.id,
        "container": world.container.id,
        "whitelist": world.whitelist.id,
        "queue": world.queue.id,
        "instance": world.instance.uuid,
        "container_instance": world.container_instance.uuid,
        "schedule": schedule_of(world).id,
    }


def schedule_of(world: World) -> Schedule:
    """A schedule of the types' owner; another one, once somebody has deleted it."""
    fields = {"user": world.users["owner"], "task_type": world.container, "task_queue": world.queue}
    return Schedule.objects.get_or_create(name="yearly", defaults={"cron": "0 0 1 1 *", **fields})[0]


@pytest.fixture(autouse=True)
def node(world: World) -> None:
    """A worker of the types' owner."""
    Worker.objects.create(name="node", slots=1, datetime_heartbeat=timezone.now(), user=world.users["owner"])


def sends(world: World, name: str, role: str) -> tuple[str, dict[str, str]]:
    """Path and body of a cell."""
    path, _, body = MATRIX[name]
    values = ids_of(world)
    sent = {key: value.format(**values, role=f"by-{role}") for key, value in body.items()}
    return f"/api/{path.format(**values)}", sent


def names_in(patterns: list[Any]) -> Iterator[str]:
    """The name of every endpoint."""
    for each in patterns:
        if not isinstance(each, URLResolver):
            yield each.name
        elif str(each.pattern) not in ELSEWHERE:
            yield from names_in(each.url_patterns)


def test_no_endpoint_is_without_a_row() -> None:
    names = list(names_in(urlpatterns))
    assert len(names) == len(set(names))
    control = {f"control-{act}" for act in [*CONTROL, *FILES, "greeting"]}  # the latter: test_worker_greeting.py
    assert set(names) == MATRIX.keys() | OPEN.keys() | SESSION.keys() | PAGES | OWN | control


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(("name", "method"), CELLS)
def test_matrix(cast: Cast, world: World, name: str, method: str, version: str) -> None:
    extra = {"HTTP_ACCEPT": V2} if version == "2" else {}
    got = {}
    for role in ROLES:
        path, sent = sends(world, name, role)
        got[role] = cast[role].form(method, path, sent, **extra).status_code
        if method == "GET":
            assert cast[role].form("HEAD", path, **extra).status_code == got[role]
    if version == "1" and (name, method) in ONLY_IN_2:
        assert got == {role: 405 if status in (200, 403) else status for role, status in READ.items()} | WORKERS
    else:
        assert got == MATRIX[name][1][method]


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("name", MATRIX)
def test_other_methods_are_405_for_those_who_may_come_in(cast: Cast, world: World, name: str, version: str) -> None:
    extra = {"HTTP_ACCEPT": V2} if version == "2" else {}
    path, _ = sends(world, name, "")
    # Reporting is what workers' tokens are for.
    worker = 405 if name == "state" else 403
    expected = dict.fromkeys(ROLES, 405) | {"nobody": 401, "worker": worker, "other_worker": worker}
    for method in METHODS - MATRIX[name][1].keys():
        assert {role: cast[role].form(method, path, **extra).status_code for role in ROLES} == expected


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_is_open_to_all(cast: Cast, name: str) -> None:
    path, method, status = OPEN[name]
    got = {cast[role].form(method, path, **extra).status_code for role in ROLES for extra in ({}, {"HTTP_ACCEPT": V2})}
    assert got == {status} if status else got in ({200}, {503})


@pytest.mark.parametrize("name", SESSION)
def test_no_key_opens_a_page(cast: Cast, name: str) -> None:
    path, method = SESSION[name]
    status = 302 if name == "home" else 405
    assert {cast[role].form(method, path).status_code for role in ROLES} == {status}


@pytest.mark.parametrize(("name", "method"), [cell for cell in CELLS if cell[1] != "GET"])
def test_a_session_changes_nothing_without_a_csrf_token(world: World, name: str, method: str) -> None:
    browser = Client()
    browser.handler.enforce_csrf_checks = True
    browser.force_login(world.users["owner"])
    path, sent = sends(world, name, "owner")
    answer = browser.form(method, path, sent, HTTP_ACCEPT=V2)
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("CSRF Failed")
    token = browser.get("/").cookies["csrftoken"].value
    answer = browser.form(method, path, sent, HTTP_ACCEPT=V2, HTTP_X_CSRFTOKEN=token)
    assert answer.status_code == MATRIX[name][1][method]["owner"]


@pytest.mark.parametrize("act", CONTROL)
def test_workers_alone_say_what_workers_say(cast: Cast, world: World, act: str) -> None:
    path = f"/api/worker/{act}/"
    people = {role: 401 if role == "nobody" else 403 for role in ROLES if "worker" not in role}
    assert {role: cast[role].json("POST", path, {}).status_code for role in people} == people
    browser = Client()
    browser.force_login(world.users["admin"])
    assert browser.json("POST", path, {}).status_code == 401, "a browser's session opens nothing here"
    for role in ("worker", "other_worker"):
        assert cast[role].json("POST", path, {}).status_code == 400
        for method in METHODS - {"POST"}:
            assert cast[role].json(method, path, {}).status_code == 405


def test_403_has_its_words(cast: Cast, world: World) -> None:
    for client, path in ((cast.worker, "/api/users/"), (cast.stranger, f"/api/taskqueues/{world.queue.id}/")):
        method = "GET" if client is cast.worker else "PATCH"
        answer = client.form(method, path, {})
        assert answer.status_code == 403
        assert answer.content == b'{"detail":"You do not have permission to perform this action."}'
