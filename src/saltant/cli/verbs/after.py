"""The options that have an instance start after others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from saltant.cli import complete, resolve

if TYPE_CHECKING:
    from saltant.client import Client

F = TypeVar("F", bound=Callable[..., Any])


def options(command: F) -> F:
    """`--after` and `--after-any`."""
    for name, how in (("--after-any", "has ended, well or not"), ("--after", "has succeeded")):
        command = click.option(
            name,
            metavar="UUID",
            multiple=True,
            help=f"Start it when this instance {how}; may be given more than once.",
            shell_complete=complete.instances,
        )(command)
    return command


def found(client: Client, after: tuple[str, ...], after_any: tuple[str, ...]) -> dict[str, list[str]]:
    """What `create` takes of UUIDs, or of the beginnings of some.

    Raises:
        Failure: There is no such instance, or more than one.
    """
    given = {"after": after, "after_any": after_any}
    return {name: [resolve.instance(client, each).uuid for each in texts] for name, texts in given.items() if texts}
