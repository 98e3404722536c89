"""`saltant kill` and `saltant clone`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.failures import code_of, sentence
from saltant.cli.verbs import labels as labels_option
from saltant.cli.verbs.given import full_uuids
from saltant.cli.verbs.instances import COLUMNS, Names, rows
from saltant.exceptions import SaltantError
from saltant.states import UNFINISHED

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance


RUNS_ON = "What runs is `running` until all of its processes are gone: `saltant wait` waits for that."


@client_command(epilog="Example: saltant ps -q --state unfinished | saltant kill -")
@click.argument("uuids", metavar="[UUID...|-]", nargs=-1, shell_complete=complete.unfinished)
@labels_option.finding
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def kill(context: Context, uuids: tuple[str, ...], labels: tuple[str, ...], yes: bool) -> None:
    """Have task instances ended; those that have ended stay as they are.

    A UUID may be its beginning; with - they are read from stdin. With --label all are ended that have it, those of both
    classes, or none if they are others by then. On a terminal this asks before it ends more than one.
    """
    if bool(uuids) == bool(labels):
        raise click.UsageError("Say which: UUIDs, - for those on stdin, or --label KEY=VALUE.")
    if labels:
        _kill_labelled(context, labels, yes)
        return
    instances = [resolve.instance(context.client, uuid) for uuid in full_uuids(context.client, uuids)]
    unfinished = [each for each in instances if not each.is_finished]
    _ask(len(unfinished), yes)
    if len(unfinished) < len(instances):
        ended = len(instances) - len(unfinished)
        context.output.hint(f"{ended} {'has' if ended == 1 else 'have'} ended already.")
    _each(context, instances, lambda each: each.manager.terminate(each.uuid))
    if unfinished:
        context.output.hint(RUNS_ON)


def _kill_labelled(context: Context, labels: tuple[str, ...], yes: bool) -> None:
    """End all that have the labels. What comes or goes between the question and the end makes the server refuse."""
    client = context.client
    filters = {"label": [*labels]}
    unfinished = filters | {"state__in": [*UNFINISHED]}
    managers: list[Any] = [client.executable_task_instances, client.container_task_instances]
    counts = [sum(group["count"] for group in manager.counts(filters=unfinished)) for manager in managers]
    if not sum(counts):
        context.output.hint("There are none that have not ended.")
    _ask(sum(counts), yes)
    found = (
        each
        for manager, count in zip(managers, counts, strict=True)
        if count
        for each in manager.terminate_matching(filters, expected=count)
    )
    context.output.table(COLUMNS, rows(found, Names(client), drawn=context.output.is_drawn), ids="uuid")
    if sum(counts):
        context.output.hint(RUNS_ON)


def _ask(count: int, yes: bool) -> None:
    if count > 1 and not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(f"End {count} task instances?", abort=True, err=True)


@client_command(epilog="Example: saltant clone 3f2a | saltant wait -q -")
@click.argument("uuids", metavar="UUID...|-", nargs=-1, required=True, shell_complete=complete.instances)
@click.option("--as-was", is_flag=True, help="What they ran, of their types as these were then.")
def clone(context: Context, uuids: tuple[str, ...], as_was: bool) -> None:
    """Run task instances once more, with the same arguments, from their types as they are now, or as they were.

    A UUID may be its beginning; with - they are read from stdin. The UUIDs of the new ones are printed.
    """
    instances = [resolve.instance(context.client, uuid) for uuid in full_uuids(context.client, uuids)]
    if not (context.output.json or context.output.is_drawn):
        context.output.quiet = True  # a pipe gets UUIDs alone, as of `run`
    _each(context, instances, lambda each: each.clone(as_was=as_was))


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
