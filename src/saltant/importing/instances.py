"""Brings instances over, the oldest first, page by page, each page in a transaction of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils import timezone

from saltant.importing.plan import CONTAINERS, EXECUTABLES, Plan
from saltant.importing.position import Position, Round
from saltant.importing.source import JSON, Source
from saltant.models._encoding import parse_datetime
from saltant.reasons import Reason
from saltant.server.accounts.models import User
from saltant.server.tasks.models import TaskClass, TaskInstance, TaskQueue, TaskType
from saltant.server.tasks.services import imports
from saltant.states import State

LISTS = {
    TaskClass.EXECUTABLE: ("executabletaskinstances", EXECUTABLES),
    TaskClass.CONTAINER: ("containertaskinstances", CONTAINERS),
}
"""Where instances of a class, and their types, are listed."""
OVERLAP = timedelta(seconds=60)
"""An instance is listed when it is committed, and carries a time from before."""
MOST_ROUNDS = 20
"""A list that grows is read again from where it was; of one that grows faster than that the rest is for another run."""


class Unfinished(StrEnum):
    """What becomes of instances that have not ended there: they cannot go on here."""

    SKIP = "skip"
    TERMINATED = "terminated"


@dataclass
class Counted:
    """What became of the instances of a class.

    Those that an earlier run looked at, where this one goes on, are found too, and here unless they were left out.
    """

    found: int = 0
    brought: int = 0
    here: int = 0
    left_out: int = 0


class Importer:
    """Brings the instances of one class.

    Args:
        replan: makes the plan of definitions anew, and what is new of it: a list grows while it is read.
        tell: called after each page with how many were looked at, and how many there are.
    """

    def __init__(
        self,
        source: Source,
        position: Position,
        task_class: TaskClass,
        plan: Plan,
        unfinished: Unfinished,
        *,
        replan: Callable[[], Plan],
        tell: Callable[[int, int], None],
    ) -> None:
        self.counted = Counted()
        self._source = source
        self._position = position
        self._task_class = task_class
        self._path, self._types_path = LISTS[task_class]
        self._unfinished = unfinished
        self._replan = replan
        self._tell = tell
        self._seen: set[UUID] = set()  # of the rounds after the first, and what is left out
        self._known: set[tuple[str, Any]] = set()  # what the plan was made anew for
        self._use(plan)

    def run(self) -> Counted:
        """Bring all that there is, and what comes meanwhile. Raises BadHttpRequestError, OSError."""
        last: datetime | None = None
        for number in range(MOST_ROUNDS):
            since = {} if last is None else {"datetime_created__gt": _text(last - OVERLAP)}
            going = self._position.get(self._path) if number == 0 else None
            bound = going.bound if going is not None else self._newest(since)
            if bound is None or (last is not None and parse_datetime(bound) <= last):
                break
            self._round(since, bound, going)
            last = parse_datetime(bound)
        return self.counted

    def _newest(self, since: JSON) -> str | None:
        times = [_moment(each.get("datetime_created")) for each in self._source.page(self._path, 1, since).things]
        known = [time for time in times if time is not None]
        return _text(max(known)) if known else None

    def _round(self, since: JSON, bound: str, going: Round | None) -> None:
        filters = since | {"datetime_created__lte": bound}
        left, count = (None, None) if going is None else (going.left, going.count)
        goes_on, pages = self._source.pages(self._path, filters, left, count)
        before, done = self.counted.left_out, 0
        if going is not None and goes_on:
            done = going.done
            self._count_earlier(going)
        for rest, page in pages:
            self._bring(page.things)
            done += len(page.things)
            self._position.set(self._path, Round(bound, page.count, rest, done, self.counted.left_out - before))
            self._tell(done, page.count)
        self._position.set(self._path, None)

    def _count_earlier(self, going: Round) -> None:
        """Count what the run that was ended looked at."""
        self.counted.found += going.done
        self.counted.here += going.done - going.left_out
        self.counted.left_out += going.left_out
        if not going.left:  # no page follows that would tell it
            self._tell(going.done, going.count)

    def _bring(self, things: list[JSON]) -> None:
        """A page, whose first is the newest."""
        if any(self._is_new(each) for each in things):
            self._use(self._replan())
        made = []
        for said in reversed(things):
            uuid = _uuid(said.get("uuid"))
            if uuid in self._seen:
                continue
            if uuid is not None:
                self._seen.add(uuid)
            self.counted.found += 1
            instance = None if uuid is None else self._instance(uuid, said)
            if instance is None:
                self.counted.left_out += 1
            else:
                made.append(instance)
        brought = imports.bring(made)
        self.counted.brought += brought
        self.counted.here += len(made) - brought

    def _is_new(self, said: JSON) -> bool:
        """Whether it names a type or a queue that was not there when the plan was made; said once of each."""
        named = {(self._types_path, said.get("task_type")), ("taskqueues", said.get("task_queue"))}
        new = {each for each in named if each[1] not in self._all[each[0]]} - self._known
        self._known |= new
        return bool(new)

    def _use(self, plan: Plan) -> None:
        self._all = {path: {item.id for item in plan.items if item.kind.path == path} for path in self._paths}
        types = {each.name: each for each in TaskType.objects.filter(task_class=self._task_class)}
        queues = {each.name: each for each in TaskQueue.objects.all()}
        users = {each.username: each for each in User.objects.all()}
        self._types = {id: types.get(name) for id, name in plan.names(self._types_path).items()}
        self._queues = {id: queues.get(name) for id, name in plan.names("taskqueues").items()}
        self._users = {id: users.get(name) for id, name in plan.names("users").items()}

    @property
    def _paths(self) -> tuple[str, str]:
        return self._types_path, "taskqueues"

    def _instance(self, uuid: UUID, said: JSON) -> TaskInstance | None:
        """The instance as it is here; None if it is left out."""
        task_type, queue = self._types.get(said.get("task_type")), self._queues.get(said.get("task_queue"))
        created, finished = _moment(said.get("datetime_created")), _moment(said.get("datetime_finished"))
        name = said.get("name") or ""
        arguments = _arguments(said)
        if task_type is None or queue is None or created is None or arguments is None:
            return None
        if not isinstance(name, str) or "\0" in name or said.get("state") not in list(State):
            return None
        state, message = State(said["state"]), f"It ran on {self._source.url}"
        if not state.is_finished:
            if self._unfinished is Unfinished.SKIP:
                return None
            message = f"It was {state} on {self._source.url}, and does not go on here"
            state, finished = State.TERMINATED, timezone.now()
        unknown: Any = {}  # its type there may have changed since it ran, which version 1 does not tell
        return TaskInstance(
            uuid=uuid,
            task_class=self._task_class,
            name=name[:200],
            state=state.value,
            datetime_created=created,
            datetime_finished=finished,
            datetime_changed=finished or created,
            arguments=arguments,
            user=self._users.get(said.get("user")),
            task_queue=queue,
            task_type=task_type,
            kind=task_type.kind.value,
            snapshot=unknown,
            reason=Reason.REPORTED.value,
            message=f"{message}.",
        )


def _arguments(said: JSON) -> Any:
    """They; None if they are none."""
    arguments = said.get("arguments")
    return {} if arguments is None else arguments if isinstance(arguments, dict) else None


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text)
    except (AttributeError, TypeError, ValueError):
        return None


def _moment(text: Any) -> datetime | None:
    try:
        return parse_datetime(text)
    except (TypeError, ValueError):
        return None


def _text(time: datetime) -> str:
    """As filters take it."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
