"""`saltant pin`."""

from __future__ import annotations

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.failures import USAGE, Failure


@client_command(epilog="Example: saltant pin default anagrams 3")
@click.argument("whitelist", metavar="WHITELIST")
@click.argument("task_type", metavar="TYPE", shell_complete=complete.types)
@click.argument("number", metavar="[N]", type=click.IntRange(min=1), required=False)
@click.option("--off", is_flag=True, help="Unpin it: the whitelist allows what it is now, and becomes.")
@click.option("--class", "cls", type=click.Choice(resolve.CLASSES), help="Which class is meant.")
def pin(context: Context, whitelist: str, task_type: str, number: int | None, off: bool, cls: str | None) -> None:
    """Pin a task type on a whitelist of yours to its revision N, or to the newest: it allows no other.

    A change of the type then changes nothing of what the queues of the whitelist run.
    """
    if off and number is not None:
        raise Failure("Give a revision or --off, not both.", USAGE)
    listed = resolve.whitelist(context.client, whitelist)
    found = resolve.task_type(context.client, task_type, cls)
    wanted = None if off else number or found.revision
    listed.pin({found.id: wanted})
    if context.output.json or context.output.quiet:
        context.output.one({"whitelist": listed.name, "type": found.name, "revision": wanted}, ids="revision")
    elif wanted is None:
        context.output.line(f"The whitelist {listed.name} allows what the task type {found.name} is now, and becomes.")
    else:
        context.output.line(
            f"The whitelist {listed.name} allows revision {wanted} of the task type {found.name} alone."
        )
