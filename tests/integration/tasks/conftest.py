"""A small lab over a real database and the embedded engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from saltant.engine.embedded import EmbeddedEngine
from saltant.jobs import Kind, Ticket
from saltant.server.accounts.models import User
from saltant.server.tasks import dispatch, services
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType, TaskWhitelist


@dataclass
class Lab:
    """A user, a queue of theirs, a type that it runs, and the engine."""

    engine: EmbeddedEngine
    user: User
    queue: TaskQueue
    whitelist: TaskWhitelist
    task_type: TaskType

    def submit(self, arguments: Any = None, task_type: TaskType | None = None) -> TaskInstance:
        """A new instance, as the database has it."""
        instance = services.submit(
            user=self.user,
            task_type=task_type or self.task_type,
            task_queue=self.queue,
            arguments={} if arguments is None else arguments,
        )
        return TaskInstance.objects.get(pk=instance.pk)

    def ticket(self) -> Ticket | None:
        """The oldest ticket."""
        return self.engine.take(None, list(Kind), timeout=0)

    def claim(self, worker: str = "w1") -> TaskInstance:
        """A new instance that `worker` runs."""
        instance = self.submit()
        ticket = self.ticket()
        assert ticket is not None
        assert services.claim(ticket, worker) is not None
        instance.refresh_from_db()
        return instance


@pytest.fixture
def lab(transactional_db: None) -> Iterator[Lab]:
    """The lab."""
    engine = EmbeddedEngine()
    dispatch.use(engine)
    user = User.objects.create_user("owner")
    whitelist = TaskWhitelist.objects.create(name="list", user=user)
    queue = TaskQueue.objects.create(name="queue", user=user)
    queue.whitelists.add(whitelist)
    task_type = TaskType.objects.create(task_class="executable", name="type", command_to_run="/bin/true", user=user)
    whitelist.task_types.add(task_type)
    yield Lab(engine, user, queue, whitelist, task_type)
    dispatch.use(None)
