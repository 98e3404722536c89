"""`saltant exec`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from saltant.cli import complete, resolve
from saltant.cli.common import Context, client_command
from saltant.cli.failures import REFUSED, USAGE, Failure
from saltant.cli.verbs import after as after_option
from saltant.cli.verbs import labels as labels_option
from saltant.cli.verbs.choosing import VARIABLE, accepts_kind, holds, usable_queues, usual_queue
from saltant.cli.verbs.command import Wanted, wanted_for
from saltant.cli.verbs.instances import own_name
from saltant.cli.verbs.submitting import follow_to_the_end
from saltant.exceptions import BadRequest, NotFound, PermissionDenied

if TYPE_CHECKING:
    from saltant.client import Client
    from saltant.models.base_task_type import BaseTaskType
    from saltant.models.task_queue import TaskQueue
    from saltant.models.task_whitelist import TaskWhitelist


@client_command(
    "exec",
    epilog="Example: saltant exec --queue gpu -- nvidia-smi -L",
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@click.argument("argv", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--queue", metavar="NAME", help="The queue to run it on.", shell_complete=complete.queues)
@click.option("--image", metavar="IMAGE", help="Run it in a container of this image, by Docker.")
@click.option("--name", default="", help="A name for the instance.")
@labels_option.giving
@after_option.options
def exec_(
    context: Context,
    argv: tuple[str, ...],
    queue: str | None,
    image: str | None,
    name: str,
    labels: tuple[str, ...],
    after: tuple[str, ...],
    after_any: tuple[str, ...],
) -> None:
    """Run a command on a queue, print what it prints, and exit as it does.

    It makes a task type for the command, named after you and it, or takes the one of last time, and puts it on a
    whitelist of the queue: yours, or any if you are an admin. The command gets its words as they are; no shell runs
    on the worker (use sh -c '…' for one), and it starts in an empty folder there.

    The exit codes are those of `saltant run --follow`.
    """
    labelled = labels_option.given(labels)
    client = context.client
    others = after_option.found(client, after, after_any)
    user = own_name(client)
    wanted = wanted_for(argv, user, image)
    queues = _queues(context, queue, "executable" if image is None else "docker")
    task_type = _task_type(client, wanted, user)
    chosen = _on_a_queue(client, queues, task_type, user)
    create = resolve.instances_of(client, task_type).create
    instance = create(task_type.id, chosen.id, name=name, **labelled, **others)
    code = follow_to_the_end(context, instance)
    if code in (126, 127) and not argv[0].startswith("/") and "/" in argv[0]:
        context.output.hint(f"A job starts in an empty folder: give the whole path of {argv[0]}, as workers see it.")
    raise click.exceptions.Exit(code)


def _queues(context: Context, named: str | None, kind: str) -> list[TaskQueue]:
    """The queues that come into question."""
    name = named or usual_queue(context)
    if name is not None:
        found = resolve.queue(context.client, name)
        if not accepts_kind(found, kind):
            raise Failure(f"The queue {found.name} does not run {_things(kind)}: choose another one.", REFUSED)
        return [found]
    usable = [each for each in usable_queues(context.client) if accepts_kind(each, kind)]
    if not usable:
        raise Failure(
            f"There is no queue that you may use and that runs {_things(kind)}: ask an admin for one.", REFUSED
        )
    return usable


def _things(kind: str) -> str:
    return "executables" if kind == "executable" else "Docker containers"


def _task_type(client: Client, wanted: Wanted, user: str) -> BaseTaskType:
    """The type of the command: that of last time, or a new one."""
    manager: Any = client.executable_task_types if wanted.image is None else client.container_task_types
    for again in (True, False):
        try:
            found: BaseTaskType = manager.get(name=wanted.name)
        except NotFound:
            try:
                made: BaseTaskType = manager.create(
                    name=wanted.name, description="Made by `saltant exec`.", **wanted.options
                )
                return made
            except BadRequest:
                if not again:  # somebody was quicker
                    raise
                continue
        if wanted.is_met_by(found, user):
            return found
        break
    raise Failure(
        f"There is a task type {wanted.name!r}, but it is not yours or was changed: rename it, or use `saltant run`.",
        REFUSED,
    )


def _on_a_queue(client: Client, queues: list[TaskQueue], task_type: BaseTaskType, user: str) -> TaskQueue:
    """The queue to use, one of whose whitelists holds the type now.

    Raises:
        Failure: There is none, or there are several.
    """
    whitelists = {each.id: each for each in client.task_whitelists.iterate()}
    ready = [each for each in queues if any(holds(whitelists[one], task_type) for one in _known(each, whitelists))]
    if ready:
        return _only(ready)
    owned = [each for each in queues if any(whitelists[one].user == user for one in _known(each, whitelists))]
    if owned:
        chosen = _only(owned)
        own = next(whitelists[one] for one in _known(chosen, whitelists) if whitelists[one].user == user)
        _add(own, task_type)
        return chosen
    served = [each for each in queues if _known(each, whitelists)]
    if len(served) == 1 or (served and len(queues) == 1):
        try:
            _add(whitelists[_known(served[0], whitelists)[0]], task_type)
            return served[0]
        except PermissionDenied:
            pass
    elif served and _may_add(served, whitelists, task_type):
        return _only(served)
    raise Failure(_missing(queues, whitelists, task_type), REFUSED)


def _known(queue: TaskQueue, whitelists: dict[int, TaskWhitelist]) -> list[int]:
    return [each for each in queue.whitelists if each in whitelists]


def _add(whitelist: TaskWhitelist, task_type: BaseTaskType) -> None:
    kind = "container_task_types" if resolve.class_of(task_type) == "container" else "executable_task_types"
    whitelist.add(**{kind: [task_type.id]})


def _may_add(queues: list[TaskQueue], whitelists: dict[int, TaskWhitelist], task_type: BaseTaskType) -> bool:
    """Whether the user is an admin: adding nothing is refused to all others."""
    try:
        whitelists[_known(queues[0], whitelists)[0]].add()
    except PermissionDenied:
        return False
    return True


def _only(queues: list[TaskQueue]) -> TaskQueue:
    if len(queues) > 1:
        names = ", ".join(each.name for each in queues)
        raise Failure(f"Several queues would run it: {names}. Choose one by --queue or {VARIABLE}.", USAGE)
    return queues[0]


def _missing(queues: list[TaskQueue], whitelists: dict[int, TaskWhitelist], task_type: BaseTaskType) -> str:
    """What is missing, and who can help."""
    said = []
    for queue in queues[:3]:
        known = [whitelists[one] for one in _known(queue, whitelists)]
        if known:
            said.append(f"{queue.name} (whitelist {known[0].name}, of {known[0].user or 'an admin'})")
        else:
            said.append(f"{queue.name} (has no whitelist; its owner {queue.user or 'an admin'} can give it one)")
    return (
        f"No whitelist of a queue that you may use holds the task type {task_type.name!r}, and none is yours. "
        f"The owner of a whitelist, or an admin, can add it: {', '.join(said)}."
    )
