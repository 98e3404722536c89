"""What `run` and `exec` share: following an instance that was just made, and what Ctrl-C means meanwhile."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from threading import Timer
from typing import TYPE_CHECKING

import click

from saltant.cli.failures import INTERRUPTED
from saltant.cli.verbs.details import fields_of
from saltant.cli.verbs.following import follow, print_bytes
from saltant.cli.verbs.instances import Names, exit_code, reason_in_words
from saltant.cli.verbs.progressing import showing
from saltant.exceptions import SaltantError
from saltant.states import State

if TYPE_CHECKING:
    from saltant.cli.common import Context
    from saltant.models.base_task_instance import BaseTaskInstance


PATIENCE = 2.0
"""Seconds after which it is said why an instance has not started."""


class Interruption:
    """What Ctrl-C does to an instance that is followed: on a terminal it asks, elsewhere it leaves it running.

    Attributes:
        killed: whether it was told to end.
    """

    def __init__(self, context: Context, instance: BaseTaskInstance) -> None:
        self._output = context.output
        self._instance = instance
        self.killed = False

    def __call__(self) -> None:
        """Leave, by an exception, or have it killed, and go on to its end."""
        if not self.killed and sys.stdin.isatty() and sys.stderr.isatty():
            try:
                click.echo(err=True)
                choice = click.prompt(
                    "Leave it running, or kill it?", type=click.Choice(["leave", "kill"]), default="leave", err=True
                )
            except (click.Abort, KeyboardInterrupt):
                click.echo(err=True)
                choice = "leave"
            if choice == "kill":
                self.killed = True
                self._instance.manager.terminate(self._instance.uuid)
                self._output.hint("It is being ended.")
                return
        going = "It is being ended" if self.killed else "It goes on"
        self._output.hint(f"{going}. To follow it: saltant logs -f {self._instance.uuid}")
        raise click.exceptions.Exit(INTERRUPTED)


def follow_to_the_end(context: Context, instance: BaseTaskInstance) -> int:
    """Print what an instance prints until it has ended, then why if that was not well; returns the exit code.

    With --json what it prints goes to stderr, and the instance, when it has ended, to stdout.
    """
    output = context.output
    output.hint(f"Task instance {instance.uuid}")
    interruption = Interruption(context, instance)

    def take(stream: str, piece: bytes) -> None:
        print_bytes("stderr" if output.json else stream, piece)

    def look() -> None:
        with suppress(SaltantError):
            if waiting := instance.manager.get(instance.uuid).waiting:
                output.hint(waiting)

    timer = Timer(PATIENCE, look)
    timer.daemon = True
    timer.start()
    try:
        with ExitStack() as stack:
            if not output.stdout.isatty() and not output.json:  # else what it prints goes where the bar would be
                stack.enter_context(showing(output, "Running", instance))
            ended = follow(
                instance,
                take,
                interrupted=interruption,
                again=lambda number: output.hint(f"It is tried again: attempt {number}."),
            )
    finally:
        timer.cancel()
    if output.json:
        output.one(fields_of(ended, Names(context.client)), ids="uuid")
    if ended.state != State.SUCCESSFUL:
        output.hint(f"{str(ended.state).capitalize()}: {reason_in_words(ended)}")
    return INTERRUPTED if interruption.killed else exit_code(ended)
