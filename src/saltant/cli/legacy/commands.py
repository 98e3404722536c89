"""The old tree's commands, made from the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from saltant.cli import complete
from saltant.cli.common import Context, with_options
from saltant.cli.legacy.fields import DESCRIPTION, Json
from saltant.cli.legacy.forms import print_list, print_one
from saltant.cli.legacy.resources import RESOURCES, Resource
from saltant.cli.legacy.settings import FormerContext

EXAMPLES = {
    "create": {
        "container-task-instances": '--task-type 2 --task-queue default --json-arguments \'{"who": "world"}\'',
        "executable-task-instances": '--task-type 2 --task-queue default --json-arguments \'{"who": "world"}\'',
        "container-task-types": "--name hello --command-to-run 'echo hello' --container-image ubuntu:24.04"
        " --container-type docker",
        "executable-task-types": "--name hello --command-to-run 'echo hello'",
        "task-queues": '--name gpu --whitelists "[1]"',
        "task-whitelists": '--name mine --whitelisted-executable-task-types "[1, 2]"',
    },
    "list": {"task-queues": "--filters '{\"active\": true}'", "users": '--filters \'{"username__startswith": "a"}\''},
}


def group(resource: Resource) -> click.Group:
    """The commands on things of a kind."""
    made = click.Group(resource.group, help=f"Look at, or change, {resource.thing}s.")
    makers: list[Callable[[Resource], click.Command]] = [getting, listing]
    if resource.fields:
        makers.append(creating)
    if resource.is_run:
        makers += [cloning, terminating, waiting]
    elif resource.fields:
        makers.append(putting)
    for make in makers:
        made.add_command(make(resource))
    return made


def command(resource: Resource, name: str, says: str, function: Callable[..., Any], example: str) -> click.Command:
    """A command with the shared options."""
    made: click.Command = click.command(
        name, help=says, epilog=f"Example: saltant {resource.group} {name} {example}".rstrip()
    )(with_options(function, (), FormerContext))
    return made


def one(resource: Resource) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The argument that names one thing."""
    return click.argument("name", metavar=resource.key.upper(), shell_complete=_completer(resource))


def _completer(resource: Resource) -> Any:
    """What Tab offers for one."""
    return getattr(complete, resource.group.rpartition("-")[2], None)


def _example(resource: Resource) -> str:
    return {"uuid": "0b0c1122", "id": "2", "username": "ada"}[resource.key]


def tell(context: Context, resource: Resource, model: Any) -> None:
    """Print one thing."""
    print_one(context.output, model, resource.detailed, resource.key)


def getting(resource: Resource) -> click.Command:
    """`get`."""

    @one(resource)
    def get(context: Context, name: str) -> None:
        tell(context, resource, resource.find(context.client, name))

    by = {"uuid": "UUID or the beginning of one", "id": "id or name", "username": "name"}[resource.key]
    return command(resource, "get", f"Print one {resource.thing}, by {by}.", get, _example(resource))


def listing(resource: Resource) -> click.Command:
    """`list`."""

    @click.option("--filters", type=Json(dict), help="The API's filters, a JSON object.")
    @click.option("--filters-file", type=click.Path(path_type=Path), help="A file with such filters.")
    def list_(context: Context, filters: dict[str, Any] | None, filters_file: Path | None) -> None:
        found = resource.manager(context.client).iterate(_read_filters(filters_file) | (filters or {}))
        print_list(context.output, found, resource.listed, resource.detailed, resource.key)

    example = EXAMPLES["list"].get(resource.group, '--filters \'{"user__username": "ada"}\'')
    return command(resource, "list", f"Print {resource.thing}s.", list_, example)


def _read_filters(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise click.BadParameter(f"{path} cannot be read: {why}.", param_hint="'--filters-file'") from None
    try:
        read: dict[str, Any] = Json(dict).convert(text, None, None)
    except click.BadParameter as error:
        raise click.BadParameter(f"{path}: {error.message}", param_hint="'--filters-file'") from None
    return read


def _options(resource: Resource, function: Callable[..., Any], *, is_put: bool) -> Callable[..., Any]:
    """Add the options that say how it is to be."""
    for field in reversed(resource.fields):
        function = field.decorate(function, is_put=is_put)
    if DESCRIPTION not in resource.fields and not resource.is_run:
        # Types had none. Without it a `put` leaves the description as it is.
        function = click.option("--description", help="What it does.")(function)
    return function


def _values(context: Context, resource: Resource, given: dict[str, Any]) -> dict[str, Any]:
    """The SDK's arguments: ids in the place of names."""
    finders = {field.argument: field.look_up for field in resource.fields if field.look_up is not None}
    return {
        name: finders[name](context.client, value) if name in finders else value
        for name, value in given.items()
        if value is not None
    }


def creating(resource: Resource) -> click.Command:
    """`create`."""

    def create(context: Context, **given: Any) -> None:
        made = resource.manager(context.client).create(**_values(context, resource, given))
        tell(context, resource, made)

    function = _options(resource, create, is_put=False)
    says = f"Create a {resource.thing}, and print it."
    return command(resource, "create", says, function, EXAMPLES["create"][resource.group])


def putting(resource: Resource) -> click.Command:
    """`put`."""

    def put(context: Context, id_or_name: str, **given: Any) -> None:
        found = resource.find(context.client, id_or_name)
        for name, value in _values(context, resource, given).items():
            setattr(found, name, value)
        tell(context, resource, found.put())

    argument = click.argument("id_or_name", metavar="ID", shell_complete=_completer(resource))
    function = argument(_options(resource, put, is_put=True))
    says = f"Set all of a {resource.thing}, and print it."
    example = " ".join(f"{field.option} …" for field in resource.fields)
    return command(resource, "put", says, function, f"2 {example}")


def cloning(resource: Resource) -> click.Command:
    """`clone`."""

    @one(resource)
    def clone(context: Context, name: str) -> None:
        tell(context, resource, resource.find(context.client, name).clone())

    return command(resource, "clone", f"Run a {resource.thing} once more, and print the new one.", clone, "0b0c1122")


def terminating(resource: Resource) -> click.Command:
    """`terminate`."""

    @one(resource)
    def terminate(context: Context, name: str) -> None:
        tell(context, resource, resource.find(context.client, name).terminate())

    return command(resource, "terminate", f"End a {resource.thing}, and print it.", terminate, "0b0c1122")


def waiting(resource: Resource) -> click.Command:
    """`wait`."""

    @one(resource)
    @click.option(
        "--refresh-period",
        type=float,
        default=5.0,
        show_default=True,
        help="The seconds between two looks at it, where the server does not tell the end by itself.",
    )
    def wait(context: Context, name: str, refresh_period: float) -> None:
        found = resource.find(context.client, name)
        tell(context, resource, found.wait_until_finished(refresh_period))

    says = f"Wait until a {resource.thing} has finished, and print it. The exit code is 0 however it ended."
    return command(resource, "wait", says, wait, "--refresh-period 1 0b0c1122")


GROUPS = {resource.group: group(resource) for resource in RESOURCES}


def __getattr__(name: str) -> click.Group:
    """The groups, by name: `container_task_types`."""
    try:
        return GROUPS[name.replace("_", "-")]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
