"""`saltant workers`, `saltant queues`, `saltant types` and `saltant whitelists`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.output import Column
from saltant.cli.verbs.details import size

if TYPE_CHECKING:
    from saltant.models.task_queue import TaskQueue

WORKERS = (
    Column("name"),
    Column("state"),
    Column("running", right=True, keep=9),
    Column("slots", right=True, keep=8),
    Column("queues", keep=7),
    Column("kinds", keep=3),
    Column("host", keep=6),
    Column("cpus", right=True, keep=4),
    Column("memory", right=True, keep=4),
    Column("gpus", keep=4),
    Column("version", keep=1),
    Column("datetime_heartbeat", "heard of", keep=5),
    Column("user", only_json=True),
    Column("instances", only_json=True),
    Column("datetime_announced", only_json=True),
)
QUEUES = (
    Column("name"),
    Column("id", right=True, keep=2),
    Column("state", keep=9),
    Column("private", keep=4),
    Column("runs", keep=5),
    Column("whitelists", keep=6),
    Column("max_running", "limit", right=True, keep=3),
    Column("user", "owner", keep=7),
    Column("description", keep=1),
    Column("datetime_archived", only_json=True),
)
TYPES = (
    Column("name"),
    Column("id", right=True, keep=2),
    Column("class", keep=5),
    Column("user", "owner", keep=4),
    Column("command_to_run", "command", keep=3),
    Column("container_image", "image", keep=3),
    Column("required_arguments", "arguments", keep=6),
    Column("description", keep=1),
    Column("required_arguments_default_values", only_json=True),
    Column("environment_variables", only_json=True),
    Column("revision", only_json=True),
    Column("datetime_created", only_json=True),
    Column("datetime_archived", only_json=True),
)
WHITELISTS = (
    Column("name"),
    Column("id", right=True, keep=2),
    Column("types", keep=6),
    Column("user", "owner", keep=4),
    Column("description", keep=1),
    Column("datetime_archived", only_json=True),
)
STATES = ("online", "draining", "lost", "stopped")


archived_option = click.option("--archived", is_flag=True, help="Those that are archived, instead of the others.")


@client_command(epilog="Example: saltant workers --state online --queue gpu")
@click.option("--state", type=click.Choice(STATES), help="Those in this state.")
@click.option("--queue", metavar="NAME", help="Those that serve this queue.", shell_complete=complete.queues)
def workers(context: Context, state: str | None, queue: str | None) -> None:
    """List workers: how they are, what they serve, and how much they run."""
    filters = {}
    if state is not None:
        filters["state"] = state
    if queue is not None:
        filters["queue"] = resolve.queue(context.client, queue).name
    drawn = context.output.is_drawn
    context.output.table(
        WORKERS,
        (
            (
                each.name,
                each.state,
                len(each.running),
                each.slots,
                "all" if each.queues is None and not context.output.json else each.queues,
                each.kinds,
                each.host,
                each.cpus,
                size(each.memory) if drawn and each.memory is not None else each.memory,
                each.gpus,
                each.version,
                each.datetime_heartbeat,
                each.user,
                [running.uuid for running in each.running],
                each.datetime_announced,
            )
            for each in context.client.workers.iterate(filters)
        ),
        ids="name",
    )


@client_command(epilog="Example: saltant queues --json")
@archived_option
def queues(context: Context, archived: bool) -> None:
    """List task queues: whether they take and start instances, what they run, and their whitelists."""
    names = {each.id: each.name for each in context.client.task_whitelists.iterate()}
    context.output.table(
        QUEUES,
        (
            (
                each.name,
                each.id,
                _state_of(each),
                each.private,
                [
                    kind
                    for kind, runs in (
                        ("executable", each.runs_executable_tasks),
                        ("docker", each.runs_docker_container_tasks),
                        ("singularity", each.runs_singularity_container_tasks),
                    )
                    if runs
                ],
                [names.get(whitelist, str(whitelist)) for whitelist in each.whitelists],
                each.max_running,
                each.user,
                each.description,
                each.datetime_archived,
            )
            for each in context.client.task_queues.iterate()
            if each.archived == archived
        ),
        ids="name",
    )


@client_command(epilog="Example: saltant types --queue gpu")
@click.option("--class", "cls", type=click.Choice(resolve.CLASSES), help="Those of one class.")
@click.option("--user", metavar="NAME", help="Those of one owner.", shell_complete=complete.users)
@click.option("--queue", metavar="NAME", help="Those that this queue runs.", shell_complete=complete.queues)
@archived_option
def types(context: Context, cls: str | None, user: str | None, queue: str | None, archived: bool) -> None:
    """List task types of both classes: what they run, and the arguments they take."""
    context.output.table(TYPES, _types(context, cls, user, queue, archived=archived), ids="name")


@client_command(epilog="Example: saltant whitelists --archived")
@archived_option
def whitelists(context: Context, archived: bool) -> None:
    """List task whitelists: the task types that the queues which hold them run."""
    client = context.client
    names = {
        cls: {each.id: each.name for each in manager.iterate()}
        for cls, manager in (("executable", client.executable_task_types), ("container", client.container_task_types))
    }
    context.output.table(
        WHITELISTS,
        (
            (
                each.name,
                each.id,
                [
                    f"{cls}:{names[cls].get(held, held)}"
                    for cls, types in (
                        ("executable", each.whitelisted_executable_task_types),
                        ("container", each.whitelisted_container_task_types),
                    )
                    for held in types
                ],
                each.user,
                each.description,
                each.datetime_archived,
            )
            for each in client.task_whitelists.iterate()
            if each.archived == archived
        ),
        ids="name",
    )


def _state_of(queue: TaskQueue) -> str:
    if queue.archived:
        return "archived"
    return "inactive" if not queue.active else "paused" if queue.paused else "active"


def _types(
    context: Context, cls: str | None, user: str | None, queue: str | None, *, archived: bool
) -> Iterator[list[object]]:
    from saltant.cli.verbs.choosing import accepts, holds

    client = context.client
    chosen = None if queue is None else resolve.queue(client, queue)
    lists = [] if chosen is None else client.task_whitelists.iterate()
    held = [each for each in lists if chosen and each.id in chosen.whitelists and not each.archived]
    filters = {} if user is None else {"user__username": user}
    for manager in (client.executable_task_types, client.container_task_types):
        for each in manager.iterate(filters) if cls in (None, manager.list_url.removesuffix("tasktypes/")) else ():
            if each.archived != archived:
                continue
            if chosen is None or (accepts(chosen, each) and any(holds(one, each) for one in held)):
                fields = {"class": resolve.class_of(each), **vars(each)}
                yield [fields.get(column.name) for column in TYPES]
