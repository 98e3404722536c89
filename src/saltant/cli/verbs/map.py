"""`saltant map`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.failures import OTHER, code_of, sentence
from saltant.cli.output import Column
from saltant.cli.verbs import labels as labels_option
from saltant.cli.verbs.arguments import decoded, flaw
from saltant.cli.verbs.choosing import choose_queue
from saltant.cli.verbs.ending import as_completed
from saltant.cli.verbs.instances import state_of, why
from saltant.cli.verbs.sweep import Line, Sweep, read_lines
from saltant.exceptions import SaltantError
from saltant.models._limits import require_version_2
from saltant.states import State

if TYPE_CHECKING:
    from saltant.models.base_task_instance import BaseTaskInstance

AT_ONCE = 4
"""How many requests are made at the same time."""
SUBMITTED = (Column("line", right=True), Column("uuid"), Column("submitted"), Column("arguments", keep=1))
ENDED = (
    Column("line", right=True),
    Column("uuid"),
    Column("state"),
    Column("why", keep=2),
    Column("arguments", keep=1),
)


@client_command("map", epilog="Example: saltant map train --file args.jsonl --queue gpu --follow")
@click.argument("task_type", metavar="TYPE", shell_complete=complete.types)
@click.option("--file", required=True, metavar="FILE|-", help="Arguments: one JSON object a line.")
@click.option("--queue", metavar="NAME", help="The queue to run them on.", shell_complete=complete.queues)
@click.option("--name", default="", help="A name for each instance; {line} in it becomes the line's number.")
@labels_option.giving
@click.option("--revision", type=click.IntRange(min=1), metavar="N", help="Of the type as its revision N has it.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Wait for all to end.")
@click.option("--state", "state_file", type=click.Path(path_type=Path, dir_okay=False), help="Where to keep the state.")
@click.option("--anew", is_flag=True, help="Submit every line, whatever was submitted before.")
@click.option("--class", "cls", type=click.Choice(resolve.CLASSES), help="Which class of types is meant.")
def map_(
    context: Context,
    task_type: str,
    file: str,
    queue: str | None,
    name: str,
    labels: tuple[str, ...],
    revision: int | None,
    follows: bool,
    state_file: Path | None,
    anew: bool,
    cls: str | None,
) -> None:
    """Run a task type once for each line of a file: a sweep.

    What was submitted is kept in FILE.saltant beside the file: run the same once more, and only what is missing is
    submitted. Of stdin nothing is kept unless --state names a file. Bad lines are named before anything is submitted.
    With --follow the exit code is 0 only if all were successful.
    """
    labelled = labels_option.given(labels)
    client = context.client
    more: dict[str, Any] = labelled | ({} if revision is None else {"revision": revision})
    for option in more:
        require_version_2(client, option)
    found = resolve.task_type(client, task_type, cls)
    lines = read_lines(_texts(file), lambda arguments: flaw(arguments, found))
    chosen = choose_queue(context, found, queue)
    path = state_file or (None if file == "-" else Path(f"{file}.saltant"))
    about = {
        "server": client.base_api_url,
        "class": resolve.class_of(found),
        "type": found.name,
        "queue": chosen.name,
        "name": name,
        **more,
    }
    manager = resolve.instances_of(client, found)
    with Sweep(path, about, anew) as sweep:
        new = [line for line in lines if line.mark not in sweep.submitted]

        def submit(line: Line) -> BaseTaskInstance:
            body = {
                "name": name.replace("{line}", str(sweep.begin(line))),
                "task_type": found.id,
                "task_queue": chosen.id,
                "arguments": line.arguments,
                **more,
            }
            key = sweep.key_of(line)
            made = manager._request("POST", manager.list_url, body=body, expected=201, key=key)
            instance: BaseTaskInstance = manager.response_data_to_model_instance(made)
            return instance

        with context.output.progress("Submitting", total=len(new)) as progress:
            count = 0
            try:
                for line, instance in _at_once(submit, new):
                    sweep.note(line, instance.uuid)
                    count += 1
                    progress.advance()
            except SaltantError as error:
                click.echo(f"{count} of {len(new)} were submitted. Run the same again to go on.", err=True)
                click.echo(f"Error: {sentence(error)}", err=True)
                raise click.exceptions.Exit(code_of(error)) from None
        uuids = {sweep.submitted[line.mark]: line for line in lines}
        before = len(lines) - len(new)
        context.output.hint(f"{len(new)} submitted" + (f", {before} had been before." if before else "."))
        if follows:
            _follow(context, uuids)
            return
        marks = {line.mark for line in new}
        context.output.table(
            SUBMITTED,
            (
                (line.number, uuid, "now" if line.mark in marks else "before", line.arguments)
                for uuid, line in uuids.items()
            ),
            ids="uuid",
        )


def _texts(file: str) -> Sequence[str]:
    if file == "-":
        return decoded(sys.stdin.buffer.read(), "stdin").split("\n")
    try:
        return decoded(Path(file).read_bytes(), file).split("\n")
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from None


def _at_once(submit: Any, lines: Sequence[Line]) -> Iterator[tuple[Line, BaseTaskInstance]]:
    """Submit lines in their order, a few at the same time. If one fails, those that were begun are finished."""
    rest = iter(lines)
    first: list[Line] = [*islice(rest, 1)]
    for line in first:
        yield line, submit(line)  # alone: it tells of what version the server is, and most of what can go wrong
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: list[tuple[Line, Future[BaseTaskInstance]]] = [
            (line, pool.submit(submit, line)) for line in islice(rest, AT_ONCE)
        ]
        failure: Exception | None = None
        while running:
            line, future = running.pop(0)
            try:
                yield line, future.result()
            except SaltantError as error:
                failure = failure or error
            if failure is None:
                running += [(line, pool.submit(submit, line)) for line in islice(rest, 1)]
        if failure is not None:
            raise failure


def _follow(context: Context, uuids: dict[str, Line]) -> None:
    output = context.output
    ended: dict[str, BaseTaskInstance] = {}
    try:
        with output.progress("Waiting", total=len(uuids)) as progress:
            for instance in as_completed(context.client, [*uuids]):
                ended[instance.uuid] = instance
                progress.advance()
                progress.update(text=_counted(ended))
    except KeyboardInterrupt:
        output.hint(f"{len(ended)} of {len(uuids)} have ended; the others go on. Run the same again to wait for them.")
        raise
    everything = [(line, ended[uuid]) for uuid, line in uuids.items() if uuid in ended]
    shown = everything if not output.is_drawn else [each for each in everything if each[1].state != State.SUCCESSFUL]
    if shown:
        output.table(
            ENDED,
            ((line.number, each.uuid, state_of(each), why(each), line.arguments) for line, each in shown),
            ids="uuid",
        )
    output.hint(f"Of {len(everything)}: {_counted(ended)}.")
    if any(each.state != State.SUCCESSFUL for each in ended.values()):
        raise click.exceptions.Exit(OTHER)


def _counted(ended: dict[str, BaseTaskInstance]) -> str:
    counts = Counter(each.state for each in ended.values())
    return ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
