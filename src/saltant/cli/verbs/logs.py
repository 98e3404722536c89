"""`saltant logs`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.verbs.following import STREAMS, follow, print_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from saltant.models.base_task_instance import BaseTaskInstance


@client_command(epilog="Example: saltant logs -f --tail 20 3f2a")
@click.argument("uuid", shell_complete=complete.instances)
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until it has ended.")
@click.option("--stderr", "log", flag_value="stderr", help="Its stderr, to stdout.")
@click.option("--both", "log", flag_value="both", help="Its stdout and stderr, each to the stream of that name.")
@click.option("--log", "log", metavar="NAME", help="Another log, such as a file of a container's logs folder.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Begin with the last N lines.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Of an attempt before the current one.")
def logs(context: Context, uuid: str, follows: bool, log: str | None, tail: int | None, attempt: int | None) -> None:
    """Print what a task instance printed: its stdout, unless told otherwise.

    UUID may be its beginning. With --json: an object with the text of each log; with --follow too, an object a piece.
    """
    instance = resolve.instance(context.client, uuid)
    streams = STREAMS if log == "both" else (log or "stdout",)
    if follows:
        _follow(context, instance, streams, tail, attempt)
        return
    texts = {name: instance.logs(name, tail=tail, attempt=attempt, as_bytes=True) for name in streams}
    if context.output.json:
        said = {name: data.decode("utf-8", "replace") for name, data in texts.items()}
        context.output.one({"uuid": instance.uuid, "attempt": attempt or instance.attempt, **said}, ids="uuid")
        return
    for name, data in texts.items():
        print_bytes(name if len(streams) > 1 else "stdout", data)
    if instance.waiting and not any(texts.values()):
        context.output.hint(f"It has not started. {instance.waiting}")


def _follow(
    context: Context, instance: BaseTaskInstance, streams: Sequence[str], tail: int | None, attempt: int | None
) -> None:
    output = context.output
    if instance.waiting:
        output.hint(f"It has not started. {instance.waiting}")

    def take(stream: str, piece: bytes) -> None:
        if output.json:
            said = {"uuid": instance.uuid, "log": stream, "text": piece.decode("utf-8", "replace")}
            click.echo(json.dumps(said))
        else:
            print_bytes(stream if len(streams) > 1 else "stdout", piece)

    def again(number: int) -> None:
        output.hint(f"It is tried again: attempt {number}.")

    follow(instance, take, streams=streams, tail=tail, attempt=attempt, again=again)
