"""`saltant history`, `saltant diff` and `saltant revert`: what task types were."""

from __future__ import annotations

from typing import Any

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.output import Column, jsonable

REVISIONS = (
    Column("number", "revision", right=True),
    Column("datetime_created", "made", keep=3),
    Column("changed_by", "by", keep=2),
    Column("fields", "what changed", keep=1),
    Column("changes", only_json=True),
    Column("values", only_json=True),
)
DIFFERENCES = (Column("field"), Column("old"), Column("new"))
NUMBER = click.IntRange(min=1)

class_option = click.option("--class", "cls", type=click.Choice(resolve.CLASSES), help="Which class is meant.")


@client_command(epilog="Example: saltant history anagrams")
@click.argument("task_type", metavar="TYPE", shell_complete=complete.types)
@class_option
def history(context: Context, task_type: str, cls: str | None) -> None:
    """List the revisions of a task type, the newest first: who changed what, and when.

    With --json each has all values of the type as well.
    """
    found = resolve.task_type(context.client, task_type, cls)
    rows = (
        (each.number, each.datetime_created, each.changed_by, _fields(each.changes), each.changes, each.values)
        for each in found.revisions()
    )
    context.output.table(REVISIONS, rows, ids="number")


def _fields(changes: dict[str, Any]) -> str:
    return ", ".join(changes)


@client_command(epilog="Example: saltant diff anagrams 1 3")
@click.argument("task_type", metavar="TYPE", shell_complete=complete.types)
@click.argument("first", metavar="[N]", type=NUMBER, required=False)
@click.argument("second", metavar="[M]", type=NUMBER, required=False)
@class_option
def diff(context: Context, task_type: str, first: int | None, second: int | None, cls: str | None) -> None:
    """Show what changed of a task type: with its newest revision, with revision N, or from revision N to M."""
    found = resolve.task_type(context.client, task_type, cls)
    changes = found.diff(first) if second is None else found.diff(second, against=first)
    rows = ((name, *map(_told, pair)) for name, pair in changes.items())
    if changes or context.output.json or context.output.quiet:
        context.output.table(DIFFERENCES, _as_json(changes) if context.output.json else rows, ids="field")
    else:
        context.output.hint("They are the same." if second is not None else "It is the first revision.")


def _told(value: object) -> object:
    """A value in a row: what is a list, an object or nothing as JSON, so that the two can be told apart."""
    import json

    return value if isinstance(value, str) and value else json.dumps(jsonable(value), ensure_ascii=False)


def _as_json(changes: dict[str, Any]) -> list[tuple[object, ...]]:
    return [(name, *pair) for name, pair in changes.items()]


@client_command(epilog="Example: saltant revert anagrams 2")
@click.argument("task_type", metavar="TYPE", shell_complete=complete.types)
@click.argument("number", metavar="N", type=NUMBER)
@class_option
def revert(context: Context, task_type: str, number: int, cls: str | None) -> None:
    """Have a task type go back to its revision N, which makes a new revision. It must be yours.

    Whitelists take that as they take any change: those of others lose the type if what it runs changes, unless they
    pin it.
    """
    found = resolve.task_type(context.client, task_type, cls)
    before = found.revision
    found.restore(number)
    if context.output.json or context.output.quiet:
        context.output.one({"name": found.name, "id": found.id, "revision": found.revision}, ids="revision")
    elif found.revision == before:
        context.output.line(f"The task type {found.name} is as in revision {number} already.")
    else:
        context.output.line(f"The task type {found.name} is as in revision {number} again: revision {found.revision}.")
    lost = ", ".join(each["name"] for each in found.removed_from_whitelists or ())
    if lost:
        context.output.hint(f"It was taken off whitelists of others: {lost}.")
