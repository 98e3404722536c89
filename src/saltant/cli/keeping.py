"""`saltant archive`, `unarchive`, `rename` and `delete`: of task types, queues and whitelists."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

KINDS = ("type", "queue", "whitelist")


def _completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of things of the kind that stands before."""
    offers: Any = {"type": complete.types, "queue": complete.queues, "whitelist": complete.whitelists}
    found: list[CompletionItem] = offers[ctx.params.get("kind") or "type"](ctx, param, incomplete)
    return found


kind_argument = click.argument("kind", type=click.Choice(KINDS), metavar="type|queue|whitelist")
name_argument = click.argument("name", shell_complete=_completed)


def find(context: Context, kind: str, name: str) -> Any:
    """The thing that is meant.

    Raises:
        Failure: there is none, or one of each class of task types.
    """
    look: Any = {"type": resolve.task_type, "queue": resolve.queue, "whitelist": resolve.whitelist}[kind]
    return look(context.client, name)


@client_command(epilog="Example: saltant archive queue old-gpu")
@kind_argument
@name_argument
def archive(context: Context, kind: str, name: str) -> None:
    """Put a task type, queue or whitelist out of use: nothing new is made with it.

    What waits and runs goes on, and nothing is lost. `saltant unarchive` takes it back, and `saltant types --archived`,
    `queues --archived` and `whitelists --archived` list what is archived.
    """
    _say(context, kind, find(context, kind, name).archive(), "is archived: nothing new is made with it")


@client_command(epilog="Example: saltant unarchive queue old-gpu")
@kind_argument
@name_argument
def unarchive(context: Context, kind: str, name: str) -> None:
    """Take a task type, queue or whitelist that was archived into use again."""
    _say(context, kind, find(context, kind, name).unarchive(), "is in use")


@client_command(epilog="Example: saltant rename queue gpu gpu-2030")
@kind_argument
@name_argument
@click.argument("new")
def rename(context: Context, kind: str, name: str, new: str) -> None:
    """Give a task type, queue or whitelist another name.

    All that was made with it stays with it. Workers that were started with a queue's old name go on serving it, also
    when they are started again, as long as no other queue gets that name.
    """
    thing = find(context, kind, name)
    old = thing.name
    if kind == "type":
        thing.name = new
        thing.put()
    else:
        thing = thing.manager.patch(thing.id, name=new)
    _say(context, kind, thing, f"was {old!r}")


@client_command(epilog="Example: saltant delete type mistyped --yes")
@kind_argument
@name_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(context: Context, kind: str, name: str, yes: bool) -> None:
    """Delete a task type, queue or whitelist that was never used. What was used can be archived.

    On a terminal this asks first.
    """
    thing = find(context, kind, name)
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(f"Delete the {kind} {thing.name!r}?", abort=True, err=True)
    _say(context, kind, thing.delete(), "is deleted")


def _say(context: Context, kind: str, thing: Any, what: str) -> None:
    output = context.output
    if output.json or output.quiet:
        fields = {"kind": kind, "id": thing.id, "name": thing.name, "datetime_archived": thing.datetime_archived}
        output.one(fields, ids="name")
        return
    output.line(f"The {kind} {thing.name!r} {what}.")
