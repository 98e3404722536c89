"""Which task instances a command is about."""

from __future__ import annotations

import functools
import heapq
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete, resolve
from saltant.cli.verbs import labels as labels_option
from saltant.cli.verbs.instances import own_name
from saltant.states import FINISHED, UNFINISHED, State

if TYPE_CHECKING:
    ParamType = click.ParamType[datetime]
    from saltant.client import Client
    from saltant.models.base_task_instance import BaseTaskInstance
else:
    ParamType = click.ParamType  # older ones of click are not generic

GROUPS = {"finished": FINISHED, "unfinished": UNFINISHED}
UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


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


@dataclass(frozen=True)
class Asked:
    """What the options say."""

    everybodys: bool
    user: str | None
    states: tuple[str, ...]
    queue: str | None
    task_type: str | None
    labels: tuple[str, ...]
    since: datetime | None

    @property
    def is_mine(self) -> bool:
        """Whether only those of who asks are meant."""
        return self.user is None and not self.everybodys

    @property
    def is_narrowed(self) -> bool:
        """Whether something else is said than whose."""
        return any((self.states, self.queue, self.task_type, self.labels, self.since))


def narrowing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which task instances are meant: the command gets them as `asked`."""

    @functools.wraps(command)
    def narrowed(*args: Any, **kwargs: Any) -> Any:
        asked = Asked(**{each.name: kwargs.pop(each.name) for each in fields(Asked)})
        return command(*args, asked=asked, **kwargs)

    made: Callable[..., Any] = narrowed
    options = (
        click.option("-a", "--all", "everybodys", is_flag=True, help="Everybody's, not only yours."),
        click.option("--user", metavar="NAME", help="Those of a user.", shell_complete=complete.users),
        click.option(
            "--state",
            "states",
            type=click.Choice([*(state.value for state in State), *GROUPS]),
            multiple=True,
            help="Those in this state; may be given more than once.",
            shell_complete=completed_states,
        ),
        click.option("--queue", metavar="NAME", help="Those on this queue.", shell_complete=complete.queues),
        click.option(
            "--type", "task_type", metavar="NAME", help="Those of this task type.", shell_complete=complete.types
        ),
        labels_option.finding,
        click.option("--since", type=Moment(), help="Those created since then: 30min, 2h, 3d, 2030-01-31."),
    )
    for option in reversed(options):
        made = option(made)
    return made


class Query:
    """Which instances are wanted."""

    def __init__(self, client: Client, asked: Asked) -> None:
        self.managers: list[Any] = [client.executable_task_instances, client.container_task_instances]
        self.filters: dict[str, Any] = {}
        """All but that of states, which change."""
        user = own_name(client) if asked.is_mine else asked.user
        if user is not None:
            self.filters["user__username"] = user
        if asked.queue is not None:
            self.filters["task_queue"] = resolve.queue(client, asked.queue).id
        if asked.task_type is not None:
            found = resolve.task_type(client, asked.task_type)
            self.filters["task_type"] = found.id
            self.managers = [resolve.instances_of(client, found)]
        if asked.labels:
            self.filters["label"] = list(asked.labels)
        if asked.since is not None:
            self.filters["datetime_created__gte"] = asked.since
        self.states = {str(State(each)) for name in asked.states for each in GROUPS.get(name, (name,))}

    @property
    def all_filters(self) -> dict[str, Any]:
        """With that of states."""
        return self.filters | ({"state__in": sorted(self.states)} if self.states else {})

    def newest(self, limit: int) -> Iterator[BaseTaskInstance]:
        """They, the newest first. `limit` is how many will be taken."""
        size = {"page_size": min(limit + 1, 500)} if limit else {}
        return heapq.merge(
            *(manager.iterate(self.all_filters, **size) for manager in self.managers),
            key=lambda each: each.datetime_created,
            reverse=True,
        )

    def wants(self, instance: BaseTaskInstance) -> bool:
        """Whether an instance is in a state that is wanted."""
        return not self.states or instance.state in self.states
