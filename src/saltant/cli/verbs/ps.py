"""`saltant ps`."""

from __future__ import annotations

from itertools import islice

import click

from saltant.cli.common import Context, client_command
from saltant.cli.verbs.instances import COLUMNS, Names, rows
from saltant.cli.verbs.query import Asked, Query, narrowing

LIMIT = 50


@client_command(epilog="Example: saltant ps --state unfinished --queue gpu --watch")
@narrowing
@click.option(
    "--limit", type=click.IntRange(min=0), default=LIMIT, show_default=True, help="The newest so many; 0: all."
)
@click.option("--watch", "watches", is_flag=True, help="Stay, and show every change.")
def ps(context: Context, asked: Asked, limit: int, watches: bool) -> None:
    """List task instances of both classes, the newest first: yours, unless told otherwise.

    With --watch a terminal shows a live table until Ctrl-C; a pipe gets a line for each change, with --json an object
    a line.
    """
    query = Query(context.client, asked)
    if watches:
        from saltant.cli.verbs.watching import watch

        watch(context, query, limit)
        return
    found = query.newest(limit)
    first = [*islice(found, limit)] if limit else found
    output = context.output
    if isinstance(first, list) and not first:
        output.hint(no_instances(mine=asked.is_mine, narrowed=asked.is_narrowed))
    output.table(COLUMNS, rows(first, Names(context.client), drawn=output.is_drawn), ids="uuid")
    if limit and next(found, None) is not None:
        output.hint(f"These are the newest {limit}. --limit 0 shows all.")


def no_instances(*, mine: bool, narrowed: bool) -> str:
    """Why the list is empty: nobody has any, or none are what was asked for (`narrowed`)."""
    if narrowed:
        return "None of yours match. With --all everybody's are looked through." if mine else "None match."
    return "You have none. With --all everybody's are shown." if mine else "There are none."
