"""`saltant schedules`, and schedules as commands show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from saltant.cli import complete, resolve, times
from saltant.cli.common import Context, client_command
from saltant.cli.output import Column
from saltant.cli.verbs.instances import Names

if TYPE_CHECKING:
    from saltant.models.schedule import Schedule

COLUMNS = (
    Column("name"),
    Column("id", right=True, keep=2),
    Column("state", keep=9),
    Column("next_time", "next"),
    Column("cron", keep=8),
    Column("timezone", "zone", keep=4),
    Column("type", keep=7),
    Column("queue", keep=5),
    Column("overlap", keep=3),
    Column("last_time", "last", keep=6),
    Column("user", "owner", keep=3),
    Column("message", keep=1),
    *(Column(name, only_json=True) for name in ("last_instance", "waiting_since", "arguments", "description")),
)


@client_command(epilog="Example: saltant schedules --queue gpu")
@click.option("--queue", metavar="NAME", help="Those of one queue.", shell_complete=complete.queues)
@click.option("--user", metavar="NAME", help="Those of one owner.", shell_complete=complete.users)
@click.option("--active/--paused", default=None, help="Those that run by the clock, or those that do not.")
def schedules(context: Context, queue: str | None, user: str | None, active: bool | None) -> None:
    """List schedules: when each runs next, what it runs, and what became of its last time."""
    filters: dict[str, object] = {} if user is None else {"user__username": user}
    if queue is not None:
        filters["task_queue"] = resolve.queue(context.client, queue).id
    if active is not None:
        filters["active"] = active
    names = Names(context.client)
    drawn = context.output.is_drawn
    rows = (
        [_shown(fields_of(each, names)[column.name], drawn=drawn) for column in COLUMNS]
        for each in context.client.schedules.iterate(filters)
    )
    context.output.table(COLUMNS, rows, ids="name")


def _shown(value: object, *, drawn: bool) -> object:
    return times.relative(value) if drawn and isinstance(value, datetime) else value


def fields_of(schedule: Schedule, names: Names) -> dict[str, object]:
    """Every field of a schedule, as JSON has them."""
    return {
        "id": schedule.id,
        "name": schedule.name,
        "description": schedule.description,
        "user": schedule.user,
        "state": "active" if schedule.active else "paused",
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "overlap": schedule.overlap,
        "class": schedule.task_class,
        "type": names.of_type_id(schedule.task_class, schedule.task_type),
        "queue": names.of_queue_id(schedule.task_queue),
        "task_type": schedule.task_type,
        "task_queue": schedule.task_queue,
        "arguments": schedule.arguments,
        "instance_name": schedule.instance_name,
        "labels": schedule.labels,
        "limits": schedule.limits,
        "next_time": schedule.next_time,
        "last_time": schedule.last_time,
        "last_instance": schedule.last_instance,
        "waiting_since": schedule.waiting_since,
        "message": schedule.message,
        "datetime_created": schedule.datetime_created,
    }


def print_one(context: Context, schedule: Schedule, upcoming: Sequence[datetime] | None = None) -> None:
    """Print a schedule; to people only what applies."""
    fields = fields_of(schedule, Names(context.client))
    if context.output.json or context.output.quiet:
        more = {} if upcoming is None else {"times": list(upcoming)}
        context.output.one({**fields, **more}, ids="name")
        return
    shown = {name: value for name, value in fields.items() if name not in ("class", "task_type", "task_queue")}
    if schedule.active and upcoming:
        shown["then"] = list(upcoming[1:])
    context.output.one(
        {name: value for name, value in shown.items() if value not in (None, "", {}, [])},
        ids="name",
    )
