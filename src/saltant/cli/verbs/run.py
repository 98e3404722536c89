"""`saltant run`."""

from __future__ import annotations

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.verbs import after as after_option
from saltant.cli.verbs import labels as labels_option
from saltant.cli.verbs.arguments import read_arguments
from saltant.cli.verbs.choosing import choose_queue
from saltant.cli.verbs.details import fields_of
from saltant.cli.verbs.instances import Names
from saltant.cli.verbs.submitting import follow_to_the_end


@client_command(epilog="Example: saltant run train seed=1 rate=0.1 tag:='\"7\"' --queue gpu --follow")
@click.argument("task_type", metavar="TYPE", shell_complete=complete.types)
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1, shell_complete=complete.type_arguments)
@click.option("--args", "text", metavar="JSON|@FILE|-", help="All arguments as a JSON object, from a file or stdin.")
@click.option("--queue", metavar="NAME", help="The queue to run it on.", shell_complete=complete.queues)
@click.option("--name", default="", help="A name for the instance, which need not be unique.")
@labels_option.giving
@after_option.options
@click.option("--revision", type=click.IntRange(min=1), metavar="N", help="Of the type as its revision N has it.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Print what it prints, and exit as it does.")
@click.option("--class", "cls", type=click.Choice(resolve.CLASSES), help="Which class of types is meant.")
def run(
    context: Context,
    task_type: str,
    pairs: tuple[str, ...],
    text: str | None,
    queue: str | None,
    name: str,
    labels: tuple[str, ...],
    after: tuple[str, ...],
    after_any: tuple[str, ...],
    revision: int | None,
    follows: bool,
    cls: str | None,
) -> None:
    """Run a task type, and print the UUID of its instance.

    KEY=VALUE is JSON if VALUE is JSON, such as 3, true or [1, 2], and else a text; KEY:=VALUE must be JSON.

    The queue is --queue, or the only one that runs the type, or that of SALTANT_QUEUE or the profile.

    With --follow the exit code is the job's own; 128+N if signal N killed it, 124 if it ran out of time, 127 if its
    command is not there, 126 if that cannot be executed, and 125 if it ended otherwise. Ctrl-C asks whether to leave
    it running.
    """
    arguments = read_arguments(pairs, text)
    labelled = labels_option.given(labels)
    client = context.client
    found = resolve.task_type(client, task_type, cls)
    chosen = choose_queue(context, found, queue)
    others = after_option.found(client, after, after_any)
    create = resolve.instances_of(client, found).create
    instance = create(found.id, chosen.id, arguments, name=name, revision=revision, **labelled, **others)
    if follows:
        raise click.exceptions.Exit(follow_to_the_end(context, instance))
    if context.output.json:
        context.output.one(fields_of(instance, Names(client)), ids="uuid")
    else:
        click.echo(instance.uuid)
        context.output.hint(f"On queue {chosen.name}. To follow it: saltant logs -f {instance.uuid[:8]}")
