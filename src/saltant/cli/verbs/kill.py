"""`saltant kill` and `saltant clone`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.failures import code_of, sentence
from saltant.cli.verbs.given import full_uuids
from saltant.cli.verbs.instances import COLUMNS, Names, rows
from saltant.exceptions import SaltantError

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance


@client_command(epilog="Example: saltant ps -q --state unfinished | saltant kill -")
@click.argument("uuids", metavar="UUID...|-", nargs=-1, required=True, shell_complete=complete.unfinished)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def kill(context: Context, uuids: tuple[str, ...], yes: bool) -> None:
    """Have task instances ended; those that have ended stay as they are.

    A UUID may be its beginning; with - they are read from stdin. On a terminal this asks before it ends more than one.
    """
    instances = [resolve.instance(context.client, uuid) for uuid in full_uuids(context.client, uuids)]
    unfinished = [each for each in instances if not each.is_finished]
    if len(unfinished) > 1 and not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(f"End {len(unfinished)} task instances?", abort=True, err=True)
    if len(unfinished) < len(instances):
        ended = len(instances) - len(unfinished)
        context.output.hint(f"{ended} {'has' if ended == 1 else 'have'} ended already.")
    _each(context, instances, lambda each: each.manager.terminate(each.uuid))
    if unfinished:
        context.output.hint(
            "What runs is `running` until all of its processes are gone: `saltant wait` waits for that."
        )


@client_command(epilog="Example: saltant clone 3f2a | saltant wait -q -")
@click.argument("uuids", metavar="UUID...|-", nargs=-1, required=True, shell_complete=complete.instances)
def clone(context: Context, uuids: tuple[str, ...]) -> None:
    """Run task instances once more, with the same arguments, from their types as they are now.

    A UUID may be its beginning; with - they are read from stdin. The UUIDs of the new ones are printed.
    """
    instances = [resolve.instance(context.client, uuid) for uuid in full_uuids(context.client, uuids)]
    if context.output.json or context.output.is_drawn:
        _each(context, instances, lambda each: each.clone())
    else:
        context.output.quiet = True  # a pipe gets UUIDs alone, as of `run`
        _each(context, instances, lambda each: each.clone())


def _each(context: Context, instances: list[BaseTaskInstance], act: Callable[[Any], BaseTaskInstance]) -> None:
    """Do it to each, also if it fails for some; list what came of it."""
    failures: list[tuple[str, SaltantError]] = []

    def done() -> Iterator[BaseTaskInstance]:
        for instance in instances:
            try:
                yield act(instance)
            except SaltantError as error:
                failures.append((instance.uuid, error))

    context.output.table(COLUMNS, rows(done(), Names(context.client), drawn=context.output.is_drawn), ids="uuid")
    for uuid, error in failures:
        click.echo(f"{uuid}: {sentence(error)}", err=True)
    if failures:
        raise click.exceptions.Exit(code_of(failures[0][1]))
