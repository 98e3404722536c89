"""`saltant show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.verbs.details import attempts_of, fields_of, for_people
from saltant.cli.verbs.instances import Names
from saltant.exceptions import SaltantError, UnsupportedByServer

if TYPE_CHECKING:
    from saltant.client import Client


@client_command(epilog="Example: saltant show 3f2a")
@click.argument("uuid", shell_complete=complete.instances)
def show(context: Context, uuid: str) -> None:
    """Show all of a task instance: its life, its arguments, why it ended or waits, and where it ran.

    UUID may be its beginning.
    """
    client = context.client
    instance = resolve.instance(client, uuid)
    names = Names(client)
    try:
        attempts = instance.attempts()
    except UnsupportedByServer:
        attempts = []
    if context.output.json or context.output.quiet:
        context.output.one({**fields_of(instance, names), "attempts": attempts_of(attempts)}, ids="uuid")
    else:
        host = _host(client, instance.worker) if instance.worker else ""
        context.output.one(for_people(instance, names, attempts, host), ids="uuid")


def _host(client: Client, worker: str) -> str:
    """The machine of a worker, if it is still known."""
    try:
        return client.workers.get(worker).host
    except SaltantError:
        return ""
