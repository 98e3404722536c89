"""`saltant wait`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.failures import OTHER
from saltant.cli.verbs.ending import as_completed
from saltant.cli.verbs.given import full_uuids
from saltant.cli.verbs.instances import COLUMNS, Names, rows
from saltant.cli.verbs.progressing import showing
from saltant.states import State

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from saltant.cli.output import Progress
    from saltant.models.base_task_instance import BaseTaskInstance


@client_command(epilog="Example: saltant wait 3f2a 77c1 --timeout 3600 && echo all well")
@click.argument("uuids", metavar="UUID...|-", nargs=-1, required=True, shell_complete=complete.unfinished)
@click.option("--any", "any_", is_flag=True, help="Until one of them has ended.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up then, with exit code 124.")
def wait(context: Context, uuids: tuple[str, ...], any_: bool, timeout: float | None) -> None:
    """Wait until task instances have ended, and list them in the order of their ends.

    A UUID may be its beginning; with - they are read from stdin. The exit code is 0 if all that ended were successful,
    else 1.
    """
    wanted = full_uuids(context.client, uuids)
    output = context.output
    well = True

    def bar() -> AbstractContextManager[Progress]:
        if len(wanted) == 1 and output.stderr.isatty():
            return showing(output, "Waiting", resolve.instance(context.client, wanted[0]))
        return output.progress("Waiting", total=len(wanted))

    def ended() -> Iterator[BaseTaskInstance]:
        nonlocal well
        with bar() as progress:
            for instance in as_completed(context.client, wanted, timeout):
                progress.advance()
                well = well and instance.state == State.SUCCESSFUL
                yield instance
                if any_:
                    return

    names = Names(context.client)
    if output.is_drawn or output.json:
        # What has ended is shown, also if the wait fails then.
        came: list[BaseTaskInstance] = []
        try:
            for each in ended():
                came.append(each)
        finally:
            if came or output.json:
                output.table(COLUMNS, rows(came, names, drawn=output.is_drawn), ids="uuid")
    else:
        output.table(COLUMNS, rows(ended(), names, drawn=False), ids="uuid")
    if not well:
        raise click.exceptions.Exit(OTHER)
