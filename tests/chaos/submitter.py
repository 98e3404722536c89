"""Somebody who submits instances and terminates some, and tries again when the server is away."""

import heapq
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from saltant import Client
from saltant.exceptions import RateLimited, ServerError, TransportError
from saltant.models.executable_task_type import ExecutableTaskType
from tests.chaos import jobs

PATIENCE = 90.0
"""Seconds that the server may be away."""
TERMINATED = 0.1
"""The share of instances that are terminated."""
LATEST = 3.0
"""Seconds after which it is, at the latest."""
AT_WORK = 0.7
"""How often another is taken in its place, one that runs."""

T = TypeVar("T")


class Submitter:
    """Submits `count` instances within about `seconds`, in a thread of its own.

    Attributes:
        names: the names of all, each with its kind.
        answered: the UUIDs that the server told of.
        terminated: those of them that were to be terminated.
        unanswered: how many submissions went without an answer, and were made again.
        failure: why it could not go on.
    """

    def __init__(
        self,
        url: str,
        token: str,
        types: Mapping[str, ExecutableTaskType],
        queue: int,
        *,
        count: int,
        seconds: float,
        chance: random.Random,
    ) -> None:
        self.names: dict[str, str] = {}
        self.answered: set[str] = set()
        self.terminated: set[str] = set()
        self.unanswered = 0
        self.failure: BaseException | None = None
        self._client = Client(url, token, default_timeout=5, test_if_authenticated=False, max_retries=0)
        self._types = types
        self._queue = queue
        self._count = count
        self._seconds = seconds
        self._chance = chance
        self._due: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._run, name="chaos-submitter", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether all is submitted."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            begin = time.monotonic()
            for number in range(self._count):
                self._terminate_until(begin + number * self._seconds / self._count)
                self._submit(number)
            self._terminate_until(float("inf"))
        except BaseException as error:
            self.failure = error

    def _submit(self, number: int) -> None:
        kind = jobs.pick(self._chance)
        name = f"{number}-{kind.name}"
        self.names[name] = kind.name
        task_type = self._types[kind.name].id
        made = self._insist(
            lambda: self._client.executable_task_instances.create(task_type, self._queue, name=name), is_counted=True
        )
        self.answered.add(made.uuid)
        if self._chance.random() < TERMINATED:
            heapq.heappush(self._due, (time.monotonic() + self._chance.uniform(0, LATEST), made.uuid))

    def _terminate_until(self, moment: float) -> None:
        """Terminate what is due, and wait until it is time for the next submission."""
        while self._due and self._due[0][0] <= moment:
            due, uuid = heapq.heappop(self._due)
            time.sleep(max(0.0, due - time.monotonic()))
            self._terminate(uuid)
        if moment < float("inf"):
            time.sleep(max(0.0, moment - time.monotonic()))

    def _terminate(self, uuid: str) -> None:
        """Terminate an instance, or one that runs now."""
        instances = self._client.executable_task_instances
        if self._chance.random() < AT_WORK:
            running = self._insist(lambda: instances.list({"state": "running", "page_size": 20}))
            uuid = self._chance.choice([each.uuid for each in running] or [uuid])
        self.terminated.add(uuid)
        self._insist(lambda: instances.terminate(uuid))

    def _insist(self, act: Callable[[], T], *, is_counted: bool = False) -> T:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return act()
            except (TransportError, ServerError, RateLimited):
                if time.monotonic() > end:
                    raise
                self.unanswered += is_counted
            time.sleep(0.2)
