"""`saltant results`."""

from __future__ import annotations

from pathlib import Path

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.failures import REFUSED, Failure
from saltant.cli.output import Column
from saltant.cli.verbs.details import size

COLUMNS = (
    Column("name"),
    Column("size", right=True),
    Column("sha256", short=12, keep=1),
    Column("attempt", only_json=True),
    Column("why", keep=2),
)


@client_command(epilog="Example: saltant results 3f2a -o out")
@click.argument("uuid", shell_complete=complete.instances)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Download them into a folder, which is made if it is not there.",
)
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Of an attempt before the current one.")
def results(context: Context, uuid: str, folder: Path | None, attempt: int | None) -> None:
    """List the files that a task instance left in its results folder, or download them.

    UUID may be its beginning. Checksums are verified, and a download that was stopped goes on where it was. With -o the
    paths of the files are printed.
    """
    output = context.output
    instance = resolve.instance(context.client, uuid)
    found = instance.results(attempt=attempt)
    if not found:
        ended = instance.is_finished or attempt is not None
        output.hint("It left no results." if ended else "It has not ended: its results come then.")
    if folder is None:
        shown = [
            (each.name, size(each.size) if output.is_drawn else each.size, each.sha256, each.attempt, each.why)
            for each in found
        ]
        output.table(COLUMNS, shown, ids="name")
        return
    with output.progress("Downloading", total=sum(each.size for each in found) or None) as progress:
        paths = instance.download_results(
            folder, lambda done, total, name: progress.update(done=done, text=name, total=total), attempt=attempt
        )
    output.table((Column("path"),), ([str(path)] for path in paths), ids="path")
    refused = [each for each in found if each.why is not None]
    if refused:
        first = f"{refused[0].name}: {refused[0].why}"
        raise Failure(f"{len(refused)} of {len(found)} results cannot be had: {first}", REFUSED)
