"""`saltant ps`."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.verbs import labels as labels_option
from saltant.cli.verbs.instances import COLUMNS, Names, own_name, rows
from saltant.states import FINISHED, State

if TYPE_CHECKING:
    ParamType = click.ParamType[datetime]
    from saltant.client import Client
    from saltant.models.base_task_instance import BaseTaskInstance
else:
    ParamType = click.ParamType  # older ones of click are not generic

GROUPS = {"finished": FINISHED, "unfinished": tuple(state for state in State if not state.is_finished)}
UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
LIMIT = 50


class Moment(ParamType):
    """`2h`, `3d`, or a date with or without a time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment that is meant; a date without a zone is of this machine's."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        matched = re.fullmatch(r"(\d{1,6})\s*(s|min|m|h|d|w)", text, re.ASCII)
        try:
            if matched:
                return datetime.now(UTC) - timedelta(seconds=int(matched[1]) * UNITS[matched[2]])
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no time: write 30min, 2h, 3d, 2030-01-31 or 2030-01-31T18:00.", param, ctx)


def completed_states(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """States, and groups of them."""
    from click.shell_completion import CompletionItem

    groups = [CompletionItem(name) for name in GROUPS if name.startswith(incomplete)]
    return [*complete.states(ctx, param, incomplete), *groups]


@client_command(epilog="Example: saltant ps --state unfinished --queue gpu --watch")
@click.option("-a", "--all", "everybodys", is_flag=True, help="Everybody's, not only yours.")
@click.option("--user", metavar="NAME", help="Those of a user.", shell_complete=complete.users)
@click.option(
    "--state",
    "states",
    type=click.Choice([*(state.value for state in State), *GROUPS]),
    multiple=True,
    help="Those in this state; may be given more than once.",
    shell_complete=completed_states,
)
@click.option("--queue", metavar="NAME", help="Those on this queue.", shell_complete=complete.queues)
@click.option("--type", "task_type", metavar="NAME", help="Those of this task type.", shell_complete=complete.types)
@labels_option.finding
@click.option("--since", type=Moment(), help="Those created since then: 30min, 2h, 3d, 2030-01-31.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=LIMIT, show_default=True, help="The newest so many; 0: all."
)
@click.option("--watch", "watches", is_flag=True, help="Stay, and show every change.")
def ps(
    context: Context,
    everybodys: bool,
    user: str | None,
    states: tuple[str, ...],
    queue: str | None,
    task_type: str | None,
    labels: tuple[str, ...],
    since: datetime | None,
    limit: int,
    watches: bool,
) -> None:
    """List task instances of both classes, the newest first: yours, unless told otherwise.

    With --watch a terminal shows a live table until Ctrl-C; a pipe gets a line for each change, with --json an object
    a line.
    """
    client = context.client
    mine = user is None and not everybodys
    if mine:
        user = own_name(client)
    query = Query(client, user, states, queue, task_type, since, labels)
    if watches:
        from saltant.cli.verbs.watching import watch

        watch(context, query, limit)
        return
    found = query.newest(limit)
    first = [*islice(found, limit)] if limit else found
    output = context.output
    if isinstance(first, list) and not first:
        output.hint(no_instances(mine=mine, narrowed=any((states, queue, task_type, labels, since))))
    output.table(COLUMNS, rows(first, Names(client), drawn=output.is_drawn), ids="uuid")
    if limit and next(found, None) is not None:
        output.hint(f"These are the newest {limit}. --limit 0 shows all.")


def no_instances(*, mine: bool, narrowed: bool) -> str:
    """Why the list is empty: nobody has any, or none are what was asked for (`narrowed`)."""
    if narrowed:
        return "None of yours match. With --all everybody's are looked through." if mine else "None match."
    return "You have none. With --all everybody's are shown." if mine else "There are none."


class Query:
    """Which instances are wanted."""

    def __init__(
        self,
        client: Client,
        user: str | None,
        states: tuple[str, ...],
        queue: str | None,
        task_type: str | None,
        since: datetime | None,
        labels: tuple[str, ...] = (),
    ) -> None:
        self.managers: list[Any] = [client.executable_task_instances, client.container_task_instances]
        self.filters: dict[str, Any] = {}
        """All but that of states, which change."""
        if user is not None:
            self.filters["user__username"] = user
        if queue is not None:
            self.filters["task_queue"] = resolve.queue(client, queue).id
        if task_type is not None:
            found = resolve.task_type(client, task_type)
            self.filters["task_type"] = found.id
            self.managers = [resolve.instances_of(client, found)]
        if labels:
            self.filters["label"] = list(labels)
        if since is not None:
            self.filters["datetime_created__gte"] = since
        self.states = {str(State(each)) for name in states for each in GROUPS.get(name, (name,))}

    def newest(self, limit: int) -> Iterator[BaseTaskInstance]:
        """They, the newest first. `limit` is how many will be taken."""
        filters = self.filters | ({"state__in": sorted(self.states)} if self.states else {})
        size = {"page_size": min(limit + 1, 500)} if limit else {}
        return heapq.merge(
            *(manager.iterate(filters, **size) for manager in self.managers),
            key=lambda each: each.datetime_created,
            reverse=True,
        )

    def wants(self, instance: BaseTaskInstance) -> bool:
        """Whether an instance is in a state that is wanted."""
        return not self.states or instance.state in self.states
