"""The worker's side of the launcher: starting a job's program, ending it, and learning how it ended."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from saltant.worker.connection import Connection, LauncherFailed, Link
from saltant.worker.frames import ENDED, FAILED, NOT_STARTED, SIGNALLED, SIZE, STARTED, TIMED_OUT, Report, order_end
from saltant.worker.leftovers import kill_matching
from saltant.worker.program import Program
from saltant.worker.run_as import RunAs

_IDLE = 16  # shims that are kept for the next job
_JOBS = 1000  # jobs of one shim: it collects no garbage


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to start.

    Attributes:
        argv: its words; the first is looked for in the PATH of `environment`.
        environment: all of its environment; its JOB_UUID and JOB_LOGS_DIRECTORY are its processes' marks.
        folder: where it starts.
        stdout: file descriptor; stays the caller's to close.
        stderr: file descriptor; stays the caller's to close.
        grace: seconds between SIGTERM and SIGKILL for what it leaves behind, and if the worker dies.
        umask: its umask.
        run_as: who it runs as; None for the worker's own user.
        timeout: seconds after which it is ended; None for no limit.
        cgroups: folders of the cgroups that it is put into.
        passes_on: whether it passes a SIGTERM on to its processes itself: it alone is sent one then.
    """

    argv: list[bytes]
    environment: dict[bytes, bytes]
    folder: Path
    stdout: int
    stderr: int
    grace: float = 5.0
    umask: int = 0o077
    run_as: RunAs | None = None
    timeout: float | None = None
    cgroups: Sequence[str] = ()
    passes_on: bool = False

    def pack(self) -> bytes:
        """What the shim is sent."""
        user = None if self.run_as is None else (self.run_as.uid, self.run_as.gid, list(self.run_as.groups))
        folder = os.fsencode(self.folder)
        cgroups = [os.fsencode(each) for each in self.cgroups]
        rest = (self.timeout, cgroups, self.passes_on)
        return Program(self.argv, self.environment, folder, self.grace, self.umask, user, *rest).pack()


@dataclass(slots=True)
class Outcome:
    """What became of a launch, when nothing of it is alive any more.

    Attributes:
        status: the program's wait status, None if it is not known.
        signalled: whether it was sent a signal by its shim while it ran.
        timed_out: whether that was for its timeout.
        started: when it was started, None if it was not.
        finished: when nothing was left.
        cpu_seconds: of all its processes; None if not known.
        peak_memory: of all its processes, in bytes; None if not known.
        failure: what hindered its start, as the shim tells it.
        message: why it is lost, where neither status nor failure are known.
        broken: whether that is as its shim failed by itself, and was not killed.
    """

    status: int | None = None
    signalled: bool = False
    timed_out: bool = False
    started: datetime | None = None
    finished: datetime | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    failure: dict[str, Any] | None = None
    message: str = ""
    broken: bool = False


class Launcher:
    """Starts programs through a launcher process, which is started when it is needed, and anew if somebody kills it.

    Its shims serve one job after another; some that have nothing to do are kept for the next.

    Args:
        data: the data folder, by which a later run knows this one's processes.
    """

    def __init__(self, data: Path | str) -> None:
        self._data = Path(data).resolve()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._idle: list[Link] = []
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The launcher's process number, None while there is none."""
        connection = self._connection
        return None if connection is None or connection.is_dead else connection.process.pid

    def start(self, launch: Launch) -> "Process":
        """Have a program started.

        Raises LauncherFailed, OSError when descriptors run out, ValueError for words with NUL characters.
        """
        program = launch.pack()
        tries = 3
        while True:
            link = self._take_link()
            try:
                job = link.run(program, launch.stdout, launch.stderr)
            except (BrokenPipeError, ConnectionResetError):
                link.close()  # somebody killed it; nothing was started
                if link.jobs == 1:  # it was made for this one
                    tries -= 1
                    message = link.connection.wait_until_gone(link)
                    if message or not tries:
                        why = message or "what starts it is killed"
                        raise LauncherFailed(f"It could not be started: {why}.") from None
            except BaseException:
                link.close()
                raise
            else:
                return Process(link, job, launch.environment, self._give_back)

    def close(self, timeout: float = 5.0) -> None:
        """Let the launcher end, as it does when nothing it started is left; `timeout` in seconds.

        Programs that still run are ended by their shims.
        """
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
            self._close_idle()
        if connection is not None:
            connection.close(timeout)

    def _take_link(self) -> Link:
        with self._lock:
            if self._closed:
                raise LauncherFailed("The launcher is closed.")
            for _ in range(3):
                if self._connection is None or self._connection.is_dead:
                    self._close_idle()
                    self._connection = Connection(self._data)
                if self._idle:
                    return self._idle.pop()
                try:
                    return self._connection.make_link()
                except (BrokenPipeError, ConnectionResetError):
                    self._connection = None  # somebody killed it
        raise LauncherFailed("The launcher ends as soon as it is started.")

    def _give_back(self, link: Link) -> None:
        with self._lock:
            is_of_use = link.connection is self._connection and not self._closed
            if is_of_use and link.jobs < _JOBS and len(self._idle) < _IDLE:
                self._idle.append(link)
                return
        link.close()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()


class Process:
    """A program that was started, seen through its shim. As a context manager it leaves nothing alive."""

    def __init__(
        self, link: Link, job: int, environment: Mapping[bytes, bytes], give_back: Callable[[Link], None]
    ) -> None:
        self._link = link
        self._job = job
        self._marks = {name: environment.get(name) for name in (b"JOB_UUID", b"JOB_LOGS_DIRECTORY")}
        self._give_back = give_back
        self._outcome: Outcome | None = None
        self._lock = threading.Lock()  # so that no order is sent when the shim is another's by now
        self._forced = False
        self.started: datetime | None = None
        """When the program was started, as soon as `wait` has heard of it."""

    def wait(self) -> Outcome:
        """How it ended: returns when nothing of it is alive. For one thread only."""
        if self._outcome is None:
            outcome, is_well = self._wait()
            with self._lock:
                self._outcome = outcome
            if is_well and not self._forced:
                self._give_back(self._link)
            else:
                self._link.close()
        return self._outcome

    def end(self, grace: float) -> None:
        """Have everything of it ended: SIGTERM, and SIGKILL after `grace` seconds. From any thread.

        Said again, SIGKILL can only come sooner.
        """
        with self._lock:
            if self._outcome is None:
                with suppress(OSError):  # the shim may be gone
                    self._link.order(order_end(self._job, grace))

    def force(self) -> None:
        """The last resort against a shim that does not answer: the launcher ends the job in its place."""
        with self._lock:
            if self._outcome is not None:
                return
            self._forced = True
            if self._link.connection.kill(self._link):
                return
        with suppress(TimeoutError):
            self._kill_marked(time.monotonic() + 1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._outcome is None:
            self.end(0)
            self.wait()

    def _wait(self) -> tuple[Outcome, bool]:
        """The outcome, and whether the shim is well."""
        data = self._link.read(SIZE)
        first = Report.unpack(data) if len(data) == SIZE else Report(NOT_STARTED)
        self.started = started = _moment(first.time) if first.kind == STARTED else None
        broken = ""
        data = self._link.read(SIZE)
        if len(data) == SIZE:
            last = Report.unpack(data)
            if last.kind == ENDED:
                return _outcome(started, last), True
            text = self._link.read(last.number)
            if len(text) == last.number:
                if last.kind == FAILED:
                    return Outcome(failure=json.loads(text), finished=_now()), True
                broken = json.loads(text)
        message = self._link.connection.wait_until_gone(self._link)
        if message is None:
            # The launcher was killed as well. Its shims' processes went to whoever is above; look through all of them.
            self._kill_marked()
            message = "the processes that watched over it were killed"
        message = broken or message or "the process that watched over it was killed"
        return Outcome(started=started, finished=_now(), message=message, broken=bool(broken)), False

    def _kill_marked(self, until: float | None = None) -> None:
        if all(self._marks.values()):
            kill_matching(lambda environment: all(environment.get(k) == v for k, v in self._marks.items()), until)


def _outcome(started: datetime | None, last: Report) -> Outcome:
    return Outcome(
        status=last.status,
        signalled=bool(last.flags & SIGNALLED),
        timed_out=bool(last.flags & TIMED_OUT),
        started=started,
        finished=_moment(last.time),
        cpu_seconds=last.cpu_seconds,
        peak_memory=last.peak_memory or None,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _now() -> datetime:
    return datetime.now(UTC)
