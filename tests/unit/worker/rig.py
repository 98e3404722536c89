"""A worker with a server in its own memory, for tests that drive real processes."""

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from saltant.jobs import Attempt, End, Job, Kind, Ticket
from saltant.progress import Progress
from saltant.worker import processes
from saltant.worker.cgroups import Cgroups
from saltant.worker.environment import Environment
from saltant.worker.folders import WorkerFolders
from saltant.worker.gpus import GpuPool
from saltant.worker.launch import Launcher
from saltant.worker.leftovers import LAUNCHER_VARIABLE, environment_of
from saltant.worker.loop import Worker
from saltant.worker.run_as import RunAs
from saltant.worker.runners import Tools, make_runners
from saltant.workers import Announcement, Orders, Refused

BOUND = 30.0  # seconds after which a test gives up waiting

PYTHON = f"{sys.executable} -I -S"


T = TypeVar("T")


def until(condition: Callable[[], T], what: str = "") -> T:
    """Wait until the condition is true."""
    give_up = time.monotonic() + BOUND
    while not (value := condition()):
        assert time.monotonic() < give_up, what or "it did not happen"
        time.sleep(0.005)
    return value


def alive(uuid: UUID) -> list[int]:
    """The living processes that have this JOB_UUID in their environment."""
    mark = str(uuid).encode()
    found = []
    for pid in processes.all_pids():
        seen = processes.look(pid)
        if seen is not None and not seen.is_dead and environment_of(pid).get(b"JOB_UUID") == mark:
            found.append(pid)
    return found


def is_running(pid: int) -> bool:
    seen = processes.look(pid)
    return seen is not None and not seen.is_dead


def shim_of(uuid: UUID) -> int:
    """The shim above the job's processes."""

    def find() -> int | None:
        parents = {seen.parent for pid in alive(uuid) if (seen := processes.look(pid)) is not None}
        return next((pid for pid in parents if LAUNCHER_VARIABLE.encode() in environment_of(pid)), None)

    found = until(find, "no shim was found")
    assert found is not None
    return found


class Server:
    """Control and Source in memory."""

    server = "rig"

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.tickets: deque[Ticket] = deque()
        self.jobs: dict[Attempt, Job] = {}
        self.claimed: set[Attempt] = set()
        self.cancelled: set[Attempt] = set()
        self.ends: dict[Attempt, End] = {}
        self.heartbeats: list[list[Attempt]] = []
        self.progress: dict[Attempt, Progress] = {}
        self.announced: list[tuple[Any, ...]] = []
        self.holding: list[set[Attempt] | None] = []
        self.left: list[bool] = []
        self.exchanged: list[tuple[Attempt, Attempt]] = []
        self.orders = Orders()
        self.refusal: Refused | None = None
        self.troubles: dict[str, int] = {}
        self.closed = False
        self.known: Collection[Kind] = ()  # kinds that have a runner; a broker may send others, too
        self.after_claim: Callable[[Attempt], None] = lambda attempt: None

    def submit(self, command: str, arguments: dict[str, Any] | None = None, **particulars: Any) -> Attempt:
        attempt = Attempt(particulars.pop("uuid", None) or uuid4(), particulars.pop("number", 1))
        kind = particulars.pop("kind", Kind.EXECUTABLE)
        with self.changed:
            self.jobs[attempt] = Job(attempt, kind, command, arguments or {}, **particulars)
            self.tickets.append(Ticket(attempt, "default", kind))
            self.changed.notify_all()
        return attempt

    def take(self, queues: Collection[str] | None, kinds: Collection[Kind], timeout: float | None) -> Ticket | None:
        def first() -> Ticket | None:
            return next((each for each in self.tickets if each.kind in kinds or each.kind not in self.known), None)

        with self.changed:
            self.changed.wait_for(lambda: self.closed or first(), timeout)
            ticket = None if self.closed else first()
            if ticket is not None:
                self.tickets.remove(ticket)
            return ticket

    def refresh(self, kinds: Collection[Kind]) -> None:
        with self.changed:
            self.changed.notify_all()

    def give_back(self, ticket: Ticket) -> None:
        with self.changed:
            self.tickets.append(ticket)
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def announce(self, said: Announcement, holding: Collection[Attempt] | None = None) -> None:
        self.trouble("announce")
        if self.refusal is not None:
            raise self.refusal
        self.holding.append(None if holding is None else set(holding))
        self.announced.append((said.worker, said.queues, set(said.kinds), said.slots))

    def claim(self, ticket: Ticket, worker: str) -> Job | None:
        self.trouble("claim")
        with self.changed:
            if ticket.attempt in self.cancelled or ticket.attempt in self.claimed:
                return None
            self.claimed.add(ticket.attempt)
            job = self.jobs[ticket.attempt]
        self.after_claim(ticket.attempt)
        return job

    def heartbeat(
        self,
        worker: str,
        running: Mapping[Attempt, datetime | None],
        progress: Mapping[Attempt, Progress] | None = None,
    ) -> Orders:
        self.trouble("heartbeat")
        with self.changed:
            self.progress.update(progress or {})
            self.heartbeats.append(list(running))
            self.changed.notify_all()
            orders = replace(self.orders, to_end=self.cancelled & set(self.heartbeats[-1]))
            self.orders = replace(self.orders, announce=False)
            return orders

    def live(self, attempts: Collection[Attempt]) -> Collection[Attempt]:
        self.trouble("live")
        with self.changed:
            return {attempt for attempt in attempts if attempt in self.claimed and attempt not in self.ends}

    def leave(self, worker: str, *, draining: bool = False) -> None:
        self.left.append(draining)

    def finish(self, attempt: Attempt, worker: str, end: End) -> bool:
        self.trouble("finish")
        with self.changed:
            assert attempt not in self.ends
            self.ends[attempt] = end
            self.changed.notify_all()
        return True

    def finish_soon(
        self, attempt: Attempt, worker: str, end: End, on_answer: Callable[[bool | Exception], None]
    ) -> None:
        try:
            answer: bool | Exception = self.finish(attempt, worker, end)
        except Exception as error:
            answer = error
        on_answer(answer)

    def exchange(self, attempt: Attempt, worker: str, end: End, ticket: Ticket) -> tuple[bool, Job | None]:
        self.trouble("exchange")
        self.exchanged.append((attempt, ticket.attempt))
        return self.finish(attempt, worker, end), self.claim(ticket, worker)

    def trouble(self, call: str) -> None:
        if self.troubles.get(call, 0) > 0:
            self.troubles[call] -= 1
            raise ConnectionError("the database is locked")


class Rig:
    """A running worker over a folder."""

    def __init__(
        self,
        data: Path,
        *,
        run_as: RunAs | None = None,
        values: dict[str, str] | None = None,
        allowed: tuple[str, ...] = ("*",),
        cgroups: Cgroups | None = None,
        start: bool = True,
        **options: Any,
    ) -> None:
        self.server = Server()
        self.folders = WorkerFolders(data, run_as)
        self.folders.make()
        self.launcher = Launcher(data)
        environment = Environment(values if values is not None else {"PATH": os.environ["PATH"]}, allowed)
        grace = options.setdefault("kill_grace", 0.5)
        self.cgroups = cgroups or Cgroups(data)
        tools = Tools(self.folders, self.launcher, environment, self.cgroups, kill_grace=grace, gpus=GpuPool(2))
        options = dict[str, Any]({"heartbeat_seconds": 60.0, "control": self.server}) | options
        runners: dict[Kind, Any] = {**make_runners(tools), **options.pop("runners", {})}
        self.server.known = list(runners)
        if options.pop("exchanges", False):
            options["exchange"] = self.server.exchange
        said = Announcement(
            worker="rig", queues=options.pop("queues", None), kinds=list(runners), slots=options.pop("slots", 2)
        )
        self.worker = Worker(said=said, source=self.server, runners=runners, **options)
        if start:
            self.worker.start()

    def submit(self, command: str, arguments: dict[str, Any] | None = None, **particulars: Any) -> Attempt:
        return self.server.submit(command, arguments, **particulars)

    def end_of(self, attempt: Attempt) -> End:
        """How it ended, once it has."""
        with self.server.changed:
            assert self.server.changed.wait_for(lambda: attempt in self.server.ends, BOUND), "it did not end"
            return self.server.ends[attempt]

    def run(self, command: str, arguments: dict[str, Any] | None = None, **particulars: Any) -> tuple[End, bytes]:
        """Run a job to its end; returns that and what it printed."""
        attempt = self.submit(command, arguments, **particulars)
        end = self.end_of(attempt)
        path = self.folders.of(attempt).stdout
        return end, path.read_bytes() if path.exists() else b""

    def repeat(self, attempt: Attempt) -> None:
        """Give the attempt's ticket out once more."""
        self.server.give_back(Ticket(attempt, "default", Kind.EXECUTABLE))

    def cancel(self, attempt: Attempt) -> None:
        with self.server.changed:
            self.server.cancelled.add(attempt)
        self.worker.look()

    def said(self, attempt: Attempt, text: str = "ready", times: int = 1) -> None:
        """Wait until the job has printed a word."""
        path = self.folders.of(attempt).stdout
        until(lambda: path.exists() and path.read_text().count(text) >= times, f"it did not say {text}")

    def close(self) -> None:
        self.worker.stop(0)


def kill(pid: int, signum: int = signal.SIGKILL) -> None:
    os.kill(pid, signum)
