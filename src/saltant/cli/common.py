"""What every command that speaks to a server shares: its options, its client, its output.

    @client_command(epilog="Example: saltant queues --json")
    @click.option("--all", "everything", is_flag=True)
    def queues(context: Context, everything: bool) -> None:
        context.output.table(COLUMNS, rows(context.client.task_queues.list()), ids="name")

In a group: `@group.command()`, and `@client_options` between that and the function.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete
from saltant.cli.failures import told
from saltant.cli.output import Output
from saltant.constants import DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from saltant.client import Client


class Context:
    """What a command gets.

    Attributes:
        output: where everything is printed.
        profile: the name of the profile that was asked for; None for the usual one.
        debug: whether tracebacks are wanted.
        timeout: the most seconds that a request may take.
    """

    def __init__(
        self,
        output: Output,
        *,
        profile: str | None = None,
        debug: bool = False,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self.output = output
        self.profile = profile
        self.debug = debug
        self.timeout = timeout

    @cached_property
    def client(self) -> Client:
        """The client, made when first needed. It asks the server nothing yet."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = self.make_client()
        for warning in caught:
            self.output.hint(f"Warning: {warning.message}")
        return made

    def make_client(self) -> Client:
        """A client of the server that is meant."""
        from saltant.client import Client

        return Client.from_config(self.profile, self.timeout, test_if_authenticated=False)


OPTIONS: dict[str, Callable[[Any], Any]] = {
    "profile": click.option(
        "--profile",
        metavar="NAME",
        shell_complete=complete.profiles,
        help="The server of that name in the configuration file.",
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="JSON, with datetimes in ISO 8601."),
    "quiet": click.option("-q", "--quiet", is_flag=True, help="Nothing but ids."),
    "debug": click.option("--debug", is_flag=True, help="Show the traceback of an error."),
}


def client_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared options; the function's first argument is the `Context`."""
    return with_options(function, ())


def client_command(
    name: str | None = None, *, without: tuple[str, ...] = (), **attributes: Any
) -> Callable[[Callable[..., Any]], click.Command]:
    """Like `click.command`, for a command that speaks to a server.

    Args:
        name: Its name; that of the function by default.
        without: Options that make no sense for it: `profile`, `json`, `quiet`.
        attributes: As for `click.command`.
    """

    def make(function: Callable[..., Any]) -> click.Command:
        decorate: Callable[[Callable[..., Any]], click.Command] = click.command(name, cls=click.Command, **attributes)
        return decorate(with_options(function, without))

    return make


def with_options(
    function: Callable[..., Any], without: tuple[str, ...], kind: type[Context] = Context
) -> Callable[..., Any]:
    """Add the shared options; the function's first argument is a context of that kind."""

    @functools.wraps(function)
    def command(
        *args: Any, profile: str | None = None, as_json: bool = False, quiet: bool = False, debug: bool, **kwargs: Any
    ) -> Any:
        with told(debug):
            context = kind(Output(json=as_json, quiet=quiet), profile=profile, debug=debug)
            return function(context, *args, **kwargs)

    made: Callable[..., Any] = command
    # click keeps them in the order of the decorators, the innermost first: so those of the command's own lead the help.
    own = command.__dict__.pop("__click_params__", [])
    for name, option in reversed(OPTIONS.items()):
        if name not in without:
            made = option(made)
    made.__dict__.setdefault("__click_params__", []).extend(own)
    return made
