"""Task instances as commands show them: the columns of lists, the fields of one, ends in words and as exit codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from saltant.cli import times
from saltant.cli.failures import REFUSED, Failure
from saltant.cli.output import Column, Share
from saltant.cli.resolve import class_of
from saltant.exceptions import NotFound, UnsupportedByServer
from saltant.reasons import Reason
from saltant.states import State

if TYPE_CHECKING:
    from saltant.client import Client
    from saltant.models.base_task_instance import BaseTaskInstance

TIMED_OUT, OTHER_END, NOT_EXECUTABLE, NOT_THERE, SIGNALLED, SIGKILL = 124, 125, 126, 127, 128, 9

TOLD = (
    *("task_type", "task_queue", "arguments", "datetime_started", "datetime_finished", "reason"),
    *("message", "waiting", "attempt", "worker", "exit_code", "signal", "cpu_seconds", "peak_memory"),
    *("cancelled_by", "revision", "command"),
)
"""What JSON has as the server tells it."""
COLUMNS = (
    Column("uuid", short=8),
    Column("state"),
    Column("name", keep=5),
    Column("type", keep=8),
    Column("queue", keep=4),
    Column("user", keep=3),
    Column("datetime_created", "created", keep=6),
    Column("took", keep=2),
    Column("bar", "progress", keep=7, only_drawn=True),
    Column("why", keep=7),
    *(Column(name, only_json=True) for name in ("class", *TOLD, "progress")),
)
"""Those of lists of instances. In JSON `took` is in seconds."""


class Names:
    """The names behind ids, each looked up once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._found: dict[tuple[str, int], str] = {}

    def of_type(self, instance: BaseTaskInstance) -> str:
        """The name of an instance's task type."""
        return self.of_type_id(class_of(instance), instance.task_type)

    def of_type_id(self, cls: str, id: int) -> str:
        """The name of the task type of an id."""
        client = self._client
        return self._name(cls, client.container_task_types if cls == "container" else client.executable_task_types, id)

    def of_queue(self, instance: BaseTaskInstance) -> str:
        """The name of an instance's queue."""
        return self.of_queue_id(instance.task_queue)

    def of_queue_id(self, id: int) -> str:
        """The name of the queue of an id."""
        return self._name("queue", self._client.task_queues, id)

    def _name(self, kind: str, manager: Any, id: int) -> str:
        if (kind, id) not in self._found:
            try:
                self._found[kind, id] = manager.get(id=id).name
            except NotFound:
                self._found[kind, id] = str(id)
        return self._found[kind, id]


class Row:
    """One instance, as a row of `COLUMNS`."""

    def __init__(self, instance: BaseTaskInstance, names: Names) -> None:
        self.instance = instance
        self.names = names

    @cached_property
    def fields(self) -> dict[str, object]:
        """What each column shows, but for what is only drawn."""
        instance = self.instance
        return {
            "uuid": instance.uuid,
            "state": state_of(instance),
            "name": instance.name,
            "type": self.names.of_type(instance),
            "queue": self.names.of_queue(instance),
            "user": instance.user,
            "datetime_created": instance.datetime_created,
            "took": seconds_of(instance),
            "why": why(instance),
            "class": class_of(instance),
            **{name: getattr(instance, name) for name in TOLD},
            "progress": progress_of(instance),
        }

    def values(self, *, drawn: bool) -> list[object]:
        """The row; on a terminal with a duration for people."""
        fields = {**self.fields, "bar": bar_of(self.instance)}
        if drawn:
            took = fields["took"]
            fields["took"] = times.duration(took) if isinstance(took, float) else ""
        return [fields[column.name] for column in COLUMNS]


def rows(instances: Iterable[BaseTaskInstance], names: Names, *, drawn: bool) -> Iterable[list[object]]:
    """Instances as rows of `COLUMNS`."""
    return (Row(each, names).values(drawn=drawn) for each in instances)


def state_of(instance: BaseTaskInstance) -> State | str:
    """Its state; one that a newer server has as its text."""
    try:
        return State(instance.state)
    except ValueError:
        return instance.state


def seconds_of(instance: BaseTaskInstance) -> float | None:
    """How long it ran, or runs by now."""
    if instance.datetime_started is None:
        return None
    end = instance.datetime_finished or datetime.now(UTC)
    return round(max((end - instance.datetime_started).total_seconds(), 0.0), 3)


def progress_of(instance: BaseTaskInstance) -> dict[str, object] | None:
    """How far it is, as JSON has it."""
    return None if instance.progress is None else asdict(instance.progress)


def share_of(instance: BaseTaskInstance) -> Share | None:
    """How far it is, or was at its end, for people."""
    said = instance.progress
    if said is None:
        return None
    percent = None if said.percent is None else f"{said.percent:.0f}%"
    counted = None if said.done is None else f"{said.done:g}" + ("" if said.total is None else f" of {said.total:g}")
    return Share(said.percent, ", ".join(part for part in (percent, counted, said.message) if part))


def bar_of(instance: BaseTaskInstance) -> Share | None:
    """How far one is that runs, in a few words."""
    said = instance.progress
    if said is None or instance.state != State.RUNNING:
        return None
    return Share(said.percent, said.message[:20] if said.percent is None else f"{said.percent:.0f}%")


def why(instance: BaseTaskInstance) -> str:
    """In a few words: why it waits, or how it ended if not well."""
    if instance.waiting:
        return instance.waiting
    if instance.state == State.SUCCESSFUL or not instance.is_finished:
        return ""
    if instance.reason == Reason.EXITED and instance.exit_code is not None:
        return f"exit code {instance.exit_code}"
    if instance.reason == Reason.KILLED and instance.signal is not None:
        return f"killed by {signal_name(instance.signal)}"
    return (instance.reason or "").replace("_", " ")


def reason_in_words(instance: BaseTaskInstance) -> str:
    """Why it ended, as a sentence."""
    if instance.message:
        return instance.message
    if instance.reason == Reason.EXITED and instance.exit_code is not None:
        return f"Its program ended by itself, with exit code {instance.exit_code}."
    try:
        return Reason(instance.reason or "").sentence
    except ValueError:
        return instance.reason or ""


def signal_name(number: int) -> str:
    """What a signal is called here."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_code(instance: BaseTaskInstance) -> int:
    """What `run --follow` and `exec` exit with: the job's own code if it has one, else as shells and timeout(1) do."""
    if instance.state == State.SUCCESSFUL:
        return 0
    fixed = {
        Reason.TIMED_OUT: TIMED_OUT,
        Reason.COMMAND_NOT_FOUND: NOT_THERE,
        Reason.NOT_EXECUTABLE: NOT_EXECUTABLE,
        Reason.OUT_OF_MEMORY: SIGNALLED + SIGKILL,
    }
    if instance.reason in fixed:
        return fixed[Reason(instance.reason)]
    if instance.reason == Reason.KILLED and instance.signal is not None:
        return SIGNALLED + instance.signal
    if instance.reason == Reason.EXITED and instance.exit_code:
        return instance.exit_code
    return OTHER_END


def own_name(client: Client) -> str:
    """The name of the user whose token this is."""
    try:
        return client.users.me().username
    except UnsupportedByServer:
        message = f"The server at {client.base_api_url}, of version 1, does not tell who you are"
        raise Failure(f"{message}: give --user NAME, or --all.", REFUSED) from None
