"""The worker's side of the launcher: starting a job's program, ending it, and learning how it ended."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from saltant.worker.connection import Connection, LauncherFailed
from saltant.worker.leftovers import kill_matching
from saltant.worker.program import Program
from saltant.worker.run_as import RunAs


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
    """

    argv: list[bytes]
    environment: dict[bytes, bytes]
    folder: Path
    stdout: int
    stderr: int
    grace: float = 5.0
    umask: int = 0o077
    run_as: RunAs | None = None

    def pack(self) -> bytes:
        """What the shim is sent."""
        user = None if self.run_as is None else (self.run_as.uid, self.run_as.gid, list(self.run_as.groups))
        folder = os.fsencode(self.folder)
        return Program(self.argv, self.environment, folder, self.grace, self.umask, user).pack()


@dataclass(slots=True)
class Outcome:
    """What became of a launch, when nothing of it is alive any more.

    Attributes:
        status: the program's wait status, None if it is not known.
        signalled: whether it was sent a signal by its shim while it ran.
        started: when it was started, None if it was not.
        finished: when nothing was left.
        cpu_seconds: of all its processes; None if not known.
        failure: what hindered its start, as the shim tells it.
        message: why it is lost, where neither status nor failure are known.
    """

    status: int | None = None
    signalled: bool = False
    started: datetime | None = None
    finished: datetime | None = None
    cpu_seconds: float | None = None
    failure: dict[str, Any] | None = None
    message: str = ""


class Launcher:
    """Starts programs through a launcher process, which is started when it is needed, and anew if somebody kills it.

    Args:
        data: the data folder, by which a later run knows this one's processes.
    """

    def __init__(self, data: Path | str) -> None:
        self._data = Path(data).resolve()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._jobs = 0
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
        message = launch.pack()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                job, connection = self._send(theirs.fileno(), launch)
            except BaseException:
                ours.close()
                raise
        process = Process(ours, connection, job, launch.environment)
        process.send(message)
        return process

    def close(self, timeout: float = 5.0) -> None:
        """Let the launcher end, as it does when nothing it started is left; `timeout` in seconds.

        Programs that still run are ended by their shims.
        """
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(timeout)

    def _send(self, link: int, launch: Launch) -> tuple[int, Connection]:
        with self._lock:
            if self._closed:
                raise LauncherFailed("The launcher is closed.")
            self._jobs += 1
            for _ in range(3):
                if self._connection is None:
                    self._connection = Connection(self._data)
                try:
                    self._connection.start(self._jobs, [link, launch.stdout, launch.stderr])
                except (BrokenPipeError, ConnectionResetError):
                    self._connection = None  # somebody killed it; nothing was started
                else:
                    return self._jobs, self._connection
        raise LauncherFailed("The launcher ends as soon as it is started.")


class Process:
    """A program that was started, seen through its shim's socket. As a context manager it leaves nothing alive."""

    def __init__(
        self, link: socket.socket, connection: Connection, job: int, environment: Mapping[bytes, bytes]
    ) -> None:
        self._link = link
        self._closing = threading.Lock()  # so that nothing is sent to a descriptor that is another's by now
        self._connection = connection
        self._job = job
        self._marks = {name: environment.get(name) for name in (b"JOB_UUID", b"JOB_LOGS_DIRECTORY")}
        self._outcome: Outcome | None = None
        self.pid: int | None = None
        self.started: datetime | None = None

    def send(self, message: bytes) -> None:
        """Tell the shim what to run. If there is none any more, `wait` finds out."""
        with suppress(OSError):
            self._link.sendall(message)

    def wait(self) -> Outcome:
        """How it ended: returns when nothing of it is alive. For one thread only."""
        if self._outcome is None:
            self._outcome = self._wait()
            with self._closing:
                self._link.close()
        return self._outcome

    def end(self, grace: float) -> None:
        """Have everything of it ended: SIGTERM, and SIGKILL after `grace` seconds. From any thread.

        Said again, SIGKILL can only come sooner.
        """
        with self._closing, suppress(OSError):  # it may have ended
            self._link.sendall(f"end {grace:.3f}\n".encode())

    def force(self) -> None:
        """The last resort against a shim that does not answer: the launcher ends the job in its place."""
        if not self._connection.kill(self._job):
            with suppress(TimeoutError):
                self._kill_marked(time.monotonic() + 1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._outcome is None:
            self.end(0)
            self.wait()

    def _wait(self) -> Outcome:
        broken = ""
        for event, text in self._events():
            match event:
                case b"started":
                    pid, began = text.split()
                    self.pid = int(pid)
                    self.started = _moment(began)
                case b"failed":
                    return Outcome(failure=json.loads(text), finished=_now())
                case b"broken":
                    broken = json.loads(text)
                case b"ended":
                    status, signalled, cpu, finished = text.split()
                    return Outcome(
                        status=int(status),
                        signalled=signalled == b"1",
                        started=self.started,
                        finished=_moment(finished),
                        cpu_seconds=float(cpu),
                    )
        message = self._connection.wait_until_gone(self._job)
        if message is None:
            # The launcher was killed as well. Its shims' processes went to whoever is above; look through all of them.
            self._kill_marked()
            message = "the processes that watched over it were killed"
        return Outcome(
            started=self.started,
            finished=_now(),
            message=broken or message or "the process that watched over it was killed",
        )

    def _events(self) -> Iterator[tuple[bytes, bytes]]:
        rest = b""
        while True:
            try:
                data = self._link.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                event, _, text = line.partition(b" ")
                yield event, text

    def _kill_marked(self, until: float | None = None) -> None:
        if all(self._marks.values()):
            kill_matching(lambda environment: all(environment.get(k) == v for k, v in self._marks.items()), until)


def _moment(seconds: bytes) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def _now() -> datetime:
    return datetime.now(UTC)
