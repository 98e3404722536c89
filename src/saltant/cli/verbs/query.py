"""Which task instances a command is about."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from saltant.cli import complete, resolve
from saltant.cli.verbs import labels as labels_option
from saltant.states import FINISHED, State

if TYPE_CHECKING:
    ParamType = click.ParamType[datetime]
    from saltant.client import Client
    from saltant.models.base_task_instance import BaseTaskInstance
else:
    ParamType = click.ParamType  # older ones of click are not generic

F = TypeVar("F", bound=Callable[..., Any])

GROUPS = {"finished": FINISHED, "unfinished": tuple(state for state in State if not state.is_finished)}
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


def narrowing(command: F) -> F:
    """The options that say which task instances are meant."""
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
        command = option(command)
    return command


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
