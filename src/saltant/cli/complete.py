"""What Tab offers: `shell_complete=` functions for arguments and options.

    @click.argument("uuid", shell_complete=complete.instances)

They ask the server that the line means, wait two seconds at most, and offer nothing rather than fail.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from threading import Thread
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from saltant.states import UNFINISHED, State

if TYPE_CHECKING:
    import click

    from saltant.client import Client

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
    Offers = Iterable[tuple[str, str]]

PATIENCE = 2.0
"""Seconds that somebody who presses Tab waits at most."""
MOST = 30
"""How many are offered at most."""


def _asking(find: Callable[[Client, click.Context, str], Offers]) -> Completer:
    """Make a completer of what finds values, each with words beside it."""

    @functools.wraps(find)
    def completer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: list[CompletionItem] = []

        def ask() -> None:
            try:
                with _client(ctx) as client:
                    offers = dict(find(client, ctx, incomplete))
            except Exception:
                return  # whoever presses Tab wants no sentence in the middle of a line
            found.extend(
                CompletionItem(value, help=_one_line(said))
                for value, said in offers.items()
                if _fits(value, incomplete)
            )

        # In a thread, as looking up a host's name knows no time-out.
        thread = Thread(target=ask, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        return found[:MOST]

    return completer


def _client(ctx: click.Context) -> Client:
    from saltant.client import Client

    warnings.simplefilter("ignore")
    client = Client.from_config(_said(ctx, "profile"), default_timeout=PATIENCE, test_if_authenticated=False)
    client._transport.backoff = type(client._transport.backoff)(retries=0)
    return client


def _said(ctx: click.Context, *names: str) -> str | None:
    """What the line says already for the first of these parameters."""
    for name in names:
        value = ctx.params.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _fits(value: str, incomplete: str) -> bool:
    # Shells take what they are given to pieces at these.
    return value.startswith(incomplete) and not any(character in value for character in "\n\r\t")


def _one_line(text: str) -> str | None:
    return " ".join(text.split())[:60] or None


def _newest(client: Client, incomplete: str, states: Iterable[State]) -> Offers:
    query: dict[str, Any] = {"page_size": MOST}
    wanted = [state.value for state in states]
    if wanted:
        query["state__in"] = wanted
    if incomplete:
        query["uuid__startswith"] = incomplete
    listed: list[Any] = []
    for manager in (client.executable_task_instances, client.container_task_instances):
        listed += manager.list(query)
    listed.sort(key=lambda each: each.datetime_created, reverse=True)
    return [(each.uuid, f"{each.state} {each.name}") for each in listed]


@_asking
def instances(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """UUIDs of instances, the newest first."""
    return _newest(client, incomplete, ())


@_asking
def unfinished(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """UUIDs of instances that have not ended, the newest first."""
    return _newest(client, incomplete, UNFINISHED)


@_asking
def types(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """Names of task types of both classes."""
    for manager in (client.executable_task_types, client.container_task_types):
        yield from ((each.name, each.description) for each in _named(manager, incomplete))


@_asking
def type_arguments(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """`name=` for each argument of the task type on the line that has no value there yet."""
    from saltant.cli.resolve import task_type

    named = _said(ctx, "task_type", "type_name", "type", "type_")
    if named is None or "=" in incomplete:
        return
    found = task_type(client, named)
    given = {str(each).partition("=")[0] for value in ctx.params.values() if isinstance(value, tuple) for each in value}
    for name in found.required_arguments:
        if name not in given:
            default = found.required_arguments_default_values.get(name)
            yield f"{name}=", "" if default is None else f"default: {default}"


@_asking
def queues(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """Names of task queues."""
    return [(each.name, each.description) for each in _named(client.task_queues, incomplete)]


@_asking
def whitelists(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """Names of task whitelists."""
    return [(each.name, each.description) for each in _named(client.task_whitelists, incomplete)]


@_asking
def schedules(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """Names of schedules."""
    return [(each.name, each.description or each.cron) for each in _named(client.schedules, incomplete)]


@_asking
def workers(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """Names of workers."""
    return [(each.name, each.state) for each in _named(client.workers, incomplete)]


@_asking
def users(client: Client, ctx: click.Context, incomplete: str) -> Offers:
    """Names of users."""
    query = {"page_size": MOST} | ({"username__startswith": incomplete} if incomplete else {})
    return [(each.username, each.email) for each in client.users.list(query)]


def _named(manager: Any, incomplete: str) -> list[Any]:
    found: list[Any] = manager.list({"page_size": MOST} | ({"name__startswith": incomplete} if incomplete else {}))
    return found


def states(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The states of instances."""
    return [CompletionItem(state.value) for state in State if state.value.startswith(incomplete)]


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of profiles of the configuration file."""
    from saltant._config import config_path, read

    try:
        found = read(config_path()).profiles
    except Exception:
        return []
    return [CompletionItem(name, help=each.get("url")) for name, each in found.items() if _fits(name, incomplete)]
