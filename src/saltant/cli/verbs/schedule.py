"""`saltant schedule`: task types that run by the clock."""

from __future__ import annotations

import sys
from typing import Any

import click

from saltant.cli import complete, resolve, times
from saltant.cli.common import Context, client_command
from saltant.cli.verbs import labels as labels_option
from saltant.cli.verbs.arguments import read_arguments
from saltant.cli.verbs.choosing import choose_queue
from saltant.cli.verbs.details import fields_of
from saltant.cli.verbs.instances import Names
from saltant.cli.verbs.schedules import print_one
from saltant.schedules import Overlap

named = click.argument("name", metavar="NAME", shell_complete=complete.schedules)


@click.group()
def schedule() -> None:
    """Task types that run by the clock.

    `saltant schedules` lists them. NAME may be an id.
    """


@client_command(
    epilog="Example: saltant schedule create nightly train seed=1 --cron '30 2 * * *' --timezone Europe/Berlin"
)
@click.argument("name", metavar="NAME")
@click.argument("task_type", metavar="TYPE", shell_complete=complete.types)
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1, shell_complete=complete.type_arguments)
@click.option("--cron", required=True, metavar="'M H D M W'", help="Minute, hour, day of month, month and day of week.")
@click.option("--timezone", metavar="ZONE", default="UTC", show_default=True, help="The time zone of --cron.")
@click.option(
    "--overlap",
    type=click.Choice([each.value for each in Overlap]),
    default=Overlap.SKIP.value,
    show_default=True,
    help="What happens when its time comes while an instance of it has not ended: make none, make one, end that one "
    "first, or wait for its end.",
)
@click.option("--args", "text", metavar="JSON|@FILE|-", help="All arguments as a JSON object, from a file or stdin.")
@click.option("--queue", metavar="NAME", help="The queue to run it on.", shell_complete=complete.queues)
@click.option("--instance-name", default="", help="A name for its instances.")
@click.option("--description", default="", help="What it is for.")
@labels_option.giving
@click.option("--paused", is_flag=True, help="Do not run it by the clock yet.")
@click.option("--class", "cls", type=click.Choice(resolve.CLASSES), help="Which class of types is meant.")
def create(
    context: Context,
    name: str,
    task_type: str,
    pairs: tuple[str, ...],
    cron: str,
    timezone: str,
    overlap: str,
    text: str | None,
    queue: str | None,
    instance_name: str,
    description: str,
    labels: tuple[str, ...],
    paused: bool,
    cls: str | None,
) -> None:
    """Make a schedule: TYPE with its arguments, whenever the time of --cron comes.

    Arguments and the queue are as of `saltant run`.
    """
    arguments = read_arguments(pairs, text)
    labelled = labels_option.given(labels)
    client = context.client
    found = resolve.task_type(client, task_type, cls)
    chosen = choose_queue(context, found, queue)
    made = client.schedules.create(
        name,
        found.id,
        chosen.id,
        cron,
        arguments,
        timezone=timezone,
        overlap=overlap,
        description=description,
        instance_name=instance_name,
        active=not paused,
        **labelled,
    )
    if context.output.json or context.output.quiet:
        print_one(context, made)
    elif made.next_time is None:
        context.output.line(f"{made.name} is paused.")
    else:
        context.output.line(f"{made.name} runs next {times.in_zone(made.next_time, made.timezone)}.")


@client_command(epilog="Example: saltant schedule change nightly seed=2 --cron '0 3 * * *'")
@named
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--cron", metavar="'M H D M W'", help="Minute, hour, day of month, month and day of week.")
@click.option("--timezone", metavar="ZONE", help="The time zone of --cron.")
@click.option("--overlap", type=click.Choice([each.value for each in Overlap]), help="As of `saltant schedule create`.")
@click.option("--args", "text", metavar="JSON|@FILE|-", help="All arguments anew, as a JSON object.")
@click.option("--type", "task_type", metavar="TYPE", help="Another task type.", shell_complete=complete.types)
@click.option("--class", "cls", type=click.Choice(resolve.CLASSES), help="Which class of types --type is of.")
@click.option("--queue", metavar="NAME", help="The queue to run it on.", shell_complete=complete.queues)
@click.option("--instance-name", help="A name for its instances.")
@click.option("--description", help="What it is for.")
@labels_option.giving
def change(
    context: Context,
    name: str,
    pairs: tuple[str, ...],
    text: str | None,
    task_type: str | None,
    cls: str | None,
    queue: str | None,
    labels: tuple[str, ...],
    **fields: str | None,
) -> None:
    """Change a schedule: what is not said stays, and so do single arguments and labels.

    What it has made goes on as it is. A time that is due is not lost unless the clock itself is changed.
    """
    given, labelled = read_arguments(pairs, text), labels_option.given(labels)
    changes: dict[str, Any] = {field: value for field, value in fields.items() if value is not None}
    if not (changes or pairs or labelled or (text, task_type, queue) != (None, None, None)):
        raise click.UsageError("Say what to change: --cron, --queue, KEY=VALUE and the like.")
    client = context.client
    found = resolve.schedule(client, name)
    if pairs or text is not None:
        changes["arguments"] = given if text is not None else {**found.arguments, **given}
    if labelled:
        changes["labels"] = {**found.labels, **labelled["labels"]}
    if task_type is not None:
        changes["task_type_id"] = resolve.task_type(client, task_type, cls).id
    if queue is not None:
        changes["task_queue_id"] = resolve.queue(client, queue).id
    print_one(context, client.schedules.patch(found.id, **changes))


@client_command(epilog="Example: saltant schedule show nightly")
@named
def show(context: Context, name: str) -> None:
    """Show all of a schedule, and its next times."""
    found = resolve.schedule(context.client, name)
    print_one(context, found, found.times())


@client_command(epilog="Example: saltant schedule pause nightly")
@named
def pause(context: Context, name: str) -> None:
    """Let its times pass; what runs goes on."""
    print_one(context, resolve.schedule(context.client, name).pause())


@client_command(epilog="Example: saltant schedule resume nightly")
@named
def resume(context: Context, name: str) -> None:
    """Have it run by the clock again, from its next time on."""
    print_one(context, resolve.schedule(context.client, name).resume())


@client_command(epilog="Example: saltant schedule run nightly | saltant wait -")
@named
def run(context: Context, name: str) -> None:
    """Make an instance of it now, whatever the clock says and whatever of it runs, and print its UUID."""
    instance = resolve.schedule(context.client, name).run()
    if context.output.json:
        context.output.one(fields_of(instance, Names(context.client)), ids="uuid")
    else:
        click.echo(instance.uuid)


@client_command(epilog="Example: saltant schedule delete nightly", without=("json",))
@named
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(context: Context, name: str, yes: bool) -> None:
    """Delete a schedule. The instances that it made stay. On a terminal this asks first."""
    found = resolve.schedule(context.client, name)
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(f"Delete the schedule {found.name}?", abort=True, err=True)
    found.delete()
    context.output.hint(f"Deleted {found.name}.")


for command in (create, change, show, pause, resume, run, delete):
    schedule.add_command(command)
