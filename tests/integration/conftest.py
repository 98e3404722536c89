"""A named cast, and a small world that belongs to some of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from saltant.server.accounts.models import Role, User
from saltant.server.accounts.tokens import create_token
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType, TaskWhitelist

V2 = "application/json; version=2"


class Client(APIClient):
    """An API client that sends what released clients send: forms, unless told otherwise."""

    def __init__(self, key: str = "") -> None:
        super().__init__(raise_request_exception=False)
        if key:
            self.credentials(HTTP_AUTHORIZATION=f"Token {key}")

    def form(self, method: str, path: str, data: dict[str, Any] | None = None, **extra: Any) -> Any:
        """Send a URL-encoded form; a list is its key repeated, as `requests` does it."""
        from urllib.parse import urlencode

        body = urlencode(data or {}, doseq=True)
        return self.generic(method, path, body, "application/x-www-form-urlencoded", **extra)

    def json(self, method: str, path: str, data: Any = None, **extra: Any) -> Any:
        """Send JSON."""
        import json

        return self.generic(method, path, json.dumps(data), "application/json", **extra)

    def get2(self, path: str, data: Any = None) -> Any:
        """GET, version 2."""
        return self.get(path, data, HTTP_ACCEPT=V2)


@dataclass
class Cast:
    """Everybody."""

    nobody: Client
    owner: Client
    stranger: Client
    queue_owner: Client
    admin: Client
    worker: Client
    other_worker: Client

    def __getitem__(self, name: str) -> Client:
        client: Client = getattr(self, name)
        return client


ROLES = ["nobody", "owner", "stranger", "queue_owner", "admin", "worker", "other_worker"]
"""Who the cast is made of."""


@dataclass
class World:
    """What they own: `owner` the types, the whitelist and the instances, `queue_owner` the queue."""

    users: dict[str, User]
    queue: TaskQueue
    other_queue: TaskQueue
    whitelist: TaskWhitelist
    executable: TaskType
    container: TaskType
    instance: TaskInstance
    container_instance: TaskInstance

    def make(self, task_type: TaskType | None = None, **values: Any) -> TaskInstance:
        """An instance, straight into the database."""
        task_type = task_type or self.executable
        defaults: dict[str, Any] = {
            "task_class": task_type.task_class,
            "kind": task_type.kind,
            "user": self.users["owner"],
            "task_queue": self.queue,
            "task_type": task_type,
            "snapshot": {},
        }
        return TaskInstance.objects.create(**defaults | values)


@pytest.fixture
def world(db: None) -> World:
    """The world."""
    users = {name: User.objects.create_user(name) for name in ("owner", "stranger", "queue_owner")}
    users["admin"] = User.objects.create_superuser("admin")
    owner = users["owner"]
    executable = TaskType.objects.create(
        task_class="executable",
        name="count",
        command_to_run="count --words",
        required_arguments=["text", "language"],
        required_arguments_default_values={"language": "en"},
        user=owner,
    )
    container = TaskType.objects.create(
        task_class="container",
        name="count",
        command_to_run="count",
        container_image="count:1",
        container_type="docker",
        user=owner,
    )
    for task_type in (executable, container):
        services.add_revision(task_type, owner)
    whitelist = TaskWhitelist.objects.create(name="list", user=owner)
    whitelist.task_types.add(executable, container)
    queue = TaskQueue.objects.create(name="queue", user=users["queue_owner"])
    queue.whitelists.add(whitelist)
    other_queue = TaskQueue.objects.create(name="other", user=users["admin"])
    world = World(users, queue, other_queue, whitelist, executable, container, None, None)  # type: ignore[arg-type]
    world.instance = world.make(name="first", arguments={"text": "a", "language": "en"})
    world.container_instance = world.make(container, name="boxed")
    return world


@pytest.fixture
def cast(world: World) -> Cast:
    """The cast."""
    people = {name: Client(create_token(user)[1]) for name, user in world.users.items()}
    worker = create_token(world.users["admin"], Role.WORKER, [world.queue])[1]
    other_worker = create_token(world.users["admin"], Role.WORKER, [world.other_queue])[1]
    return Cast(nobody=Client(), worker=Client(worker), other_worker=Client(other_worker), **people)


@pytest.fixture
def owner(cast: Cast) -> Client:
    """The client that most tests use."""
    return cast.owner


@pytest.fixture(scope="session", autouse=True)
def static_files_are_looked_for_once() -> Iterator[None]:
    """Each client has middleware of its own, and its look for the same 200 files costs more than most tests."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def remember(middleware: Any) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remember)
        yield
