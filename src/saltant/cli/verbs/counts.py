"""`saltant counts`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from saltant.cli.common import Context, client_command
from saltant.cli.output import Column
from saltant.cli.verbs.instances import Names
from saltant.cli.verbs.query import Asked, Query, narrowing

SERVER_NAMES = {"state": "state", "type": "task_type", "queue": "task_queue", "user": "user"}
LABEL = "label:"


def checked(ctx: click.Context, param: click.Parameter, keys: tuple[str, ...]) -> tuple[str, ...]:
    """What to count by, each once."""
    for key in keys:
        if key not in SERVER_NAMES and (not key.startswith(LABEL) or key == LABEL):
            raise click.BadParameter(f"{key!r} is none of {', '.join(SERVER_NAMES)} and {LABEL}KEY.", ctx, param)
    return tuple(dict.fromkeys(keys))


@client_command(without=("quiet",), epilog="Example: saltant counts --all --by queue --by state --since 7d")
@narrowing
@click.option(
    "--by",
    "keys",
    multiple=True,
    default=("state",),
    show_default=True,
    metavar="WHAT",
    callback=checked,
    help="state, type, queue, user or label:KEY; may be given more than once.",
)
def counts(context: Context, asked: Asked, keys: tuple[str, ...]) -> None:
    """Count task instances of both classes, in groups, the largest first: yours, unless told otherwise."""
    client, output = context.client, context.output
    query, names = Query(client, asked), Names(client)
    found: Counter[tuple[Any, ...]] = Counter()
    for manager in query.managers:
        cls = "container" if manager is client.container_task_instances else "executable"
        for group in manager.counts([SERVER_NAMES.get(key, key) for key in keys], filters=query.all_filters):
            found[tuple(_named(key, group, cls, names) for key in keys)] += group["count"]
    columns = [*map(Column, keys), Column("count", right=True)]
    output.table(columns, ([*group, count] for group, count in found.most_common()), ids="count")
    if len(found) != 1:
        output.hint(f"{found.total()} in all.")


def _named(key: str, group: dict[str, Any], cls: str, names: Names) -> object:
    """The value that a group has in common, as people know it."""
    value = group[SERVER_NAMES.get(key, key)]
    if value is None:
        return None
    if key == "type":
        return names.of_type_id(cls, value)
    return names.of_queue_id(value) if key == "queue" else value
