"""The options of the old tree that say how something is to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import resolve

if TYPE_CHECKING:
    from saltant.client import Client


class Json(click.ParamType):  # type: ignore[type-arg] # generic in newer versions alone
    """A value in JSON: a list, or an object.

    Args:
        kind: `list` or `dict`.
    """

    name = "json"

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, unless it is read."""
        if not isinstance(value, str):
            return value
        try:
            read = json.loads(value)
        except (ValueError, RecursionError) as error:
            at = f"{error.msg}, at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
            why = at or "nested too deeply"
            self.fail(f"it is not JSON ({why}). Quote it for the shell: '{self.example}'.", param, ctx)
        if not isinstance(read, self.kind):
            self.fail(f"it must be a JSON {'list' if self.kind is list else 'object'}: '{self.example}'.", param, ctx)
        return read

    @property
    def example(self) -> str:
        """What it may look like."""
        return "[1, 2]" if self.kind is list else '{"name": "value"}'


@dataclass(frozen=True)
class Field:
    """An option of `create` and `put`.

    Attributes:
        option: its name.
        argument: the SDK's argument and attribute.
        says: its help.
        type: what click reads it as.
        default: its value where `create` goes without.
        is_required: whether `create` takes no default. A `put` requires it in any case.
        look_up: what makes an id of a value that may be a name.
    """

    option: str
    argument: str
    says: str
    type: Any = str
    default: Any = ""
    is_required: bool = False
    look_up: Callable[[Client, Any], Any] | None = None

    def decorate(self, function: Callable[..., Any], *, is_put: bool) -> Callable[..., Any]:
        """Add it to a command."""
        is_required = self.is_required or is_put
        default = json.dumps(self.default) if isinstance(self.type, Json) else self.default
        shown: dict[str, Any] = {} if is_required else {"default": default, "show_default": default != ""}
        option = click.option(
            self.option,
            self.argument,
            type=self.type,
            required=is_required,
            help=self.says,
            metavar="BOOL" if self.type is bool else None,
            **shown,
        )
        return option(function)


def by(find: Callable[[Client, str], Any]) -> Callable[[Client, Any], int]:
    """Look up an id by a name."""

    def look_up(client: Client, value: Any) -> int:
        text = str(value)
        return int(text) if resolve.is_id(text) else int(find(client, text).id)

    return look_up


def each_by(find: Callable[[Client, str], Any]) -> Callable[[Client, Any], list[int]]:
    """Look up the ids of a list that may have names."""
    look_up = by(find)
    return lambda client, values: [look_up(client, each) for each in values]


def type_of(cls: str) -> Callable[[Client, str], Any]:
    """What finds task types of a class."""
    return lambda client, text: resolve.task_type(client, text, cls)


NAME = Field("--name", "name", "A unique name.", is_required=True)
DESCRIPTION = Field("--description", "description", "What it is for.")
COMMAND = Field("--command-to-run", "command_to_run", "The command that executes the task.", is_required=True)
SHARED = (
    Field(
        "--json-environment-variables",
        "environment_variables",
        "The environment variables of the worker that the command gets.",
        Json(list),
        [],
    ),
    Field("--json-required-arguments", "required_arguments", "The names of the arguments.", Json(list), []),
    Field(
        "--json-required-arguments-default-values",
        "required_arguments_default_values",
        "The default values of arguments.",
        Json(dict),
        {},
    ),
)
OF_CONTAINER_TYPES = (
    NAME,
    COMMAND,
    Field("--container-image", "container_image", "The image, such as ubuntu:24.04.", is_required=True),
    Field(
        "--container-type",
        "container_type",
        "What runs it.",
        click.Choice(["docker", "singularity"]),
        is_required=True,
    ),
    Field("--logs-path", "logs_path", "Where in the container the folder for logs is."),
    Field("--results-path", "results_path", "Where in the container the folder for results is."),
    *SHARED,
)
OF_EXECUTABLE_TYPES = (
    NAME,
    COMMAND,
    Field("--json-file-option", "json_file_option", "The command's option that takes a file with the arguments."),
    *SHARED,
)
OF_QUEUES = (
    NAME,
    DESCRIPTION,
    Field("--private", "private", "Whether its creator alone may use it.", bool, False),
    Field("--runs-executable-tasks", "runs_executable_tasks", "Whether it runs executables.", bool, True),
    Field("--runs-docker-container-tasks", "runs_docker_container_tasks", "Whether it runs Docker.", bool, True),
    Field(
        "--runs-singularity-container-tasks",
        "runs_singularity_container_tasks",
        "Whether it runs Singularity.",
        bool,
        True,
    ),
    Field("--active", "active", "Whether it takes new instances.", bool, True),
    Field(
        "--whitelists",
        "whitelists",
        "The ids or names of its whitelists.",
        Json(list),
        [],
        look_up=each_by(resolve.whitelist),
    ),
)
OF_WHITELISTS = (
    NAME,
    DESCRIPTION,
    *(
        Field(
            f"--whitelisted-{cls}-task-types",
            f"whitelisted_{cls}_task_types",
            f"The ids or names of the {cls} task types on it.",
            Json(list),
            [],
            look_up=each_by(type_of(cls)),
        )
        for cls in ("container", "executable")
    ),
)


def of_instances(cls: str) -> tuple[Field, ...]:
    """Those of the instances of a class."""
    return (
        Field("--name", "name", "A name, which need not be unique."),
        Field("--task-type", "task_type_id", "Its type, by id or name.", is_required=True, look_up=by(type_of(cls))),
        Field(
            "--task-queue", "task_queue_id", "Its queue, by id or name.", is_required=True, look_up=by(resolve.queue)
        ),
        Field("--json-arguments", "arguments", "Its arguments.", Json(dict), {}),
    )
