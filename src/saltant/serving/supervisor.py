"""The processes of `saltant server`: starts them, starts anew those that die, and ends them all."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector

from saltant.serving import CannotStart

log = logging.getLogger("saltant.server")

READY = b"r"
"""What a process says when it serves."""
UNFIT = 3
"""The exit code of a process that another start would not help; it has said why."""
FIRST_DELAY, LAST_DELAY = 0.2, 10.0
"""Seconds before a process that died is started anew: more if it dies again and again."""
MOST_PROCESSES = 4
"""As many processes as processors, but by default no more than these."""
CONNECTIONS = 24
"""What one process may hold open to the database: a connection for each thread that serves, and some that work."""
STEADY = 30.0
"""A process that lived for so many seconds is not one that dies again and again."""


@dataclass
class Child:
    """One process, and our end of the socket that joins us: when that closes, the process ends."""

    process: "subprocess.Popen[bytes]"
    line: socket.socket
    started: float
    is_ready: bool = False


class Supervisor:
    """Runs `count` processes that serve the listening socket `sock`.

    Args:
        on_ready: called once, when the first process serves.
        grace: how many seconds a process that is told to stop may take.
    """

    def __init__(self, sock: socket.socket, count: int, *, on_ready: Callable[[], None], grace: float) -> None:
        self._sock = sock
        self._count = count
        self._on_ready: Callable[[], None] | None = on_ready
        self._grace = grace
        self._children: list[Child] = []
        self._stopping = False
        self._delay = FIRST_DELAY
        self._start_at = 0.0
        self._woken, self._waker = socket.socketpair()

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP.

        Raises:
            CannotStart: a process says that it cannot be.
        """
        for end in (self._woken, self._waker):
            end.setblocking(False)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signum != signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:  # nohup ignores it
                signal.signal(signum, self._on_signal)
        signal.set_wakeup_fd(self._waker.fileno())
        try:
            while not self._stopping:
                self._start_missing()
                self._wait()
        finally:
            signal.set_wakeup_fd(-1)
            self._end_all()

    def _on_signal(self, signum: int, frame: object) -> None:
        self._stopping = True

    def _start_missing(self) -> None:
        now = time.monotonic()
        # One alone at first: what is wrong with it would be wrong with all.
        wanted = self._count if self._on_ready is None else 1
        while len(self._children) < wanted and now >= self._start_at:
            self._children.append(self._start(now))

    def _start(self, now: float) -> Child:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "saltant.serving.process", str(self._sock.fileno()), str(theirs.fileno())]
        with theirs:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[self._sock.fileno(), theirs.fileno()], process_group=0
            )
        return Child(process, ours, now)

    def _wait(self) -> None:
        """Until a process says something or ends, a signal comes, or one is to be started."""
        missing = len(self._children) < (self._count if self._on_ready is None else 1)
        with DefaultSelector() as selector:
            selector.register(self._woken, EVENT_READ)
            for child in self._children:
                selector.register(child.line, EVENT_READ, child)
            found = selector.select(max(0.0, self._start_at - time.monotonic()) if missing else None)
        for key, _ in found:
            if key.data is None:
                self._woken.recv(4096)
            else:
                self._hear(key.data)

    def _hear(self, child: Child) -> None:
        if child.line.recv(1) == READY:
            child.is_ready = True
            if self._on_ready is not None:
                self._on_ready()
                self._on_ready = None
            return
        code = child.process.wait()
        child.line.close()
        self._children.remove(child)
        if self._stopping:
            return
        if code == UNFIT:
            raise CannotStart("The server was not started.")
        now = time.monotonic()
        self._delay = FIRST_DELAY if now - child.started > STEADY else min(self._delay * 2, LAST_DELAY)
        self._start_at = now + self._delay
        log.error("The server process %d ended (%s) and is started anew", child.process.pid, _tell(code))

    def _end_all(self) -> None:
        for child in self._children:
            child.line.close()
        end = time.monotonic() + self._grace
        for child in self._children:
            try:
                child.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("The server process %d is killed: it did not end in time", child.process.pid)
                child.process.kill()
                child.process.wait()


def _tell(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def default_count() -> int:
    """How many processes serve unless somebody says it: by the processors that this one may use."""
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
