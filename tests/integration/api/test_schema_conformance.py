"""What nobody would send, by schemathesis: nothing fails, and no answer contradicts the OpenAPI document."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import count, islice
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from saltant.server.accounts.tokens import create_token
from saltant.server.api.openapi.document import document
from saltant.server.tasks.models import TaskAttempt, Worker
from saltant.server.tasks.schedule_models import Schedule
from tests.integration.conftest import World

ACCEPT = {"1": "application/json", "2": "application/json; version=2"}
OPERATIONS = [(path, method) for path, methods in document("2")["paths"].items() for method in methods]
IN_EACH = [
    (version, path, method)
    for version in ACCEPT
    for path, methods in document(version)["paths"].items()
    for method in methods
]
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
# The same requests each time: what they find must not depend on the day. What a second database takes ill, few show.
BOUNDED = settings(
    max_examples=12 if connection.vendor == "sqlite" else 4,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@cache
def schema(version: str) -> Any:
    """The document, as schemathesis reads it from the server."""
    return schemathesis.openapi.from_wsgi(f"/api/schema/?version={version}", get_wsgi_application())


@cache
def wanted() -> Any:
    """The checks of an answer. Which answer it is, the other tests are about."""
    load_all_checks()
    names = [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "allow_header_conformance",
    ]
    return CHECKS.get_by_names(names)


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Let requests use the connection of the test, whose transaction ends only with it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def key(world: World) -> str:
    """An admin's key: nobody gets further."""
    world.executable.required_arguments = []
    world.executable.required_arguments_default_values = {}
    world.executable.save()
    said = {"queues": ["queue"], "kinds": ["docker"], "slots": 2, "cpus": 1.5, "memory": 2**33, "gpus": ["A100"]}
    now = timezone.now()
    Worker.objects.create(name="node", datetime_heartbeat=now, user=world.users["owner"], **said)
    instance = world.make(state="running", name="it")
    lease = {"lease_expires": now + timedelta(hours=1), "datetime_claimed": now}
    TaskAttempt.objects.create(instance=instance, number=1, worker="node", **lease)
    fields = {"task_type": world.executable, "task_queue": world.queue, "user": world.users["owner"]}
    Schedule.objects.create(name="yearly", cron="0 0 1 1 *", **fields)
    return create_token(world.users["admin"])[1]


@pytest.mark.parametrize(("version", "path", "method"), IN_EACH)
def test_anything(world: World, key: str, path: str, method: str, version: str) -> None:
    operation, number = schema(version)[path][method], count()

    @BOUNDED
    @given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in MODES)))
    def run(case: Any) -> None:
        check(case, world, key, version, next(number))

    run()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_bounds_of_every_value(world: World, key: str, path: str, method: str) -> None:
    for number, case in enumerate(bounds(path, method)):
        check(case, world, key, "2", number)


def bounds(path: str, method: str) -> Iterator[Any]:
    """Requests with values at, just within and just beyond their bounds. Of hundreds, some will do."""
    one = schema("2")
    operation = one[path][method]
    config = one.config.generation_for(operation=operation)
    cases = one.iter_coverage_cases(operation, generation_modes=MODES, generation_config=config)
    return islice(cases, 0, None, 7 if method == "get" else 3)


def check(case: Any, world: World, key: str, version: str, number: int) -> None:
    """Send a request, most of them about things that there are, and hold the answer to the document."""
    if number % 3:
        point_at(case, world)
    headers = {"Accept": ACCEPT[version], "Authorization": f"Token {key}"}
    case.call_and_validate(headers=headers, checks=wanted())


def point_at(case: Any, world: World) -> None:
    """Name what is in the world in the place of what schemathesis made up."""
    is_container = "container" in case.path
    task_type = world.container if is_container else world.executable
    instance = world.container_instance if is_container else world.instance
    kinds: dict[str, Any] = {"tasktypes": task_type, "taskqueues": world.queue, "taskwhitelists": world.whitelist}
    kinds["schedules"] = Schedule.objects.first()
    thing: Any = next((each for part, each in kinds.items() if part in case.path), None)
    named = {"id": getattr(thing, "pk", 1), "uuid": str(instance.uuid), "username": "owner", "name": "node"}
    if isinstance(case.path_parameters, dict):
        case.path_parameters |= {name: named[name] for name in case.path_parameters if name in named}
    if isinstance(case.body, dict):
        ids = {"task_type": task_type.pk, "task_queue": world.queue.pk, "whitelists": [world.whitelist.pk]}
        case.body |= {name: value for name, value in ids.items() if name in case.body}
        if isinstance(items := case.body.get("instances"), list):
            case.body["instances"] = [each | ids if isinstance(each, dict) else each for each in items]
        if isinstance(uuids := case.body.get("uuids"), list):
            case.body["uuids"] = [str(instance.uuid), *uuids[1:]]
