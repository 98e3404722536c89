"""The table that the old tree is made from: what there is on a server, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saltant.cli import resolve
from saltant.cli.failures import NOT_FOUND, Failure
from saltant.cli.legacy import fields
from saltant.cli.legacy.fields import Field

if TYPE_CHECKING:
    from saltant.client import Client


@dataclass(frozen=True)
class Resource:
    """A kind of things on a server.

    Attributes:
        group: the name of its group of commands.
        thing: what one is called.
        key: the field that identifies one.
        listed: the fields that a list tells, in their order.
        detailed: those that are told of one, in their order.
        find: what finds one by what somebody typed.
        fields: the options of `create` and `put`.
        is_run: whether these are instances, which are cloned, terminated and waited for.
    """

    group: str
    thing: str
    key: str
    listed: tuple[str, ...]
    detailed: tuple[str, ...]
    find: Callable[[Client, str], Any]
    fields: tuple[Field, ...] = ()
    is_run: bool = False

    def manager(self, client: Client) -> Any:
        """What acts on them."""
        return getattr(client, self.group.replace("-", "_"))


def _user(client: Client, text: str) -> Any:
    found = resolve.unless_missing(client.users.get, text)
    if found is None:
        raise Failure(f"There is no user {text!r}.", NOT_FOUND)
    return found


def _instances(cls: str) -> Resource:
    start, ends = ("uuid",), ("task_queue", "task_type", "datetime_created")
    return Resource(
        f"{cls}-task-instances",
        f"{cls} task instance",
        "uuid",
        (*start, "state", "user", *ends, "name"),
        (*start, "name", "state", "user", *ends, "datetime_finished", "arguments"),
        lambda client, text: resolve.instance(client, text, cls),
        fields.of_instances(cls),
        is_run=True,
    )


def _types(cls: str, options: tuple[Field, ...], own: tuple[str, ...], listed: tuple[str, ...]) -> Resource:
    start = ("id", "name", "user", "description")
    shared = ("environment_variables", "required_arguments", "required_arguments_default_values")
    return Resource(
        f"{cls}-task-types",
        f"{cls} task type",
        "id",
        (*start, *listed),
        (*start, "datetime_created", "command_to_run", *own, *shared),
        fields.type_of(cls),
        options,
    )


IMAGE = ("container_image", "container_type")
WHITELISTED = ("whitelisted_container_task_types", "whitelisted_executable_task_types")
RUNS = ("runs_executable_tasks", "runs_docker_container_tasks", "runs_singularity_container_tasks")
QUEUE = ("id", "user", "name", "private", "active", "description")
RESOURCES = (
    _instances("container"),
    _types("container", fields.OF_CONTAINER_TYPES, (*IMAGE, "logs_path", "results_path"), IMAGE),
    _instances("executable"),
    _types("executable", fields.OF_EXECUTABLE_TYPES, ("json_file_option",), ()),
    Resource("task-queues", "task queue", "id", QUEUE, (*QUEUE, *RUNS, "whitelists"), resolve.queue, fields.OF_QUEUES),
    Resource(
        "task-whitelists",
        "task whitelist",
        "id",
        ("id", "user", "name", "description"),
        ("id", "user", "name", "description", *WHITELISTED),
        resolve.whitelist,
        fields.OF_WHITELISTS,
    ),
    Resource("users", "user", "username", ("username", "email"), ("username", "email"), _user),
)
