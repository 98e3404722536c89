"""The shim: one process per job, parent of its program, that does not go before nothing of the job is left.

It is a subreaper: whoever in the job calls setsid or forks twice ends up as its child, so when waitpid knows no child
there is no descendant either. It listens to its worker on a socket, and takes that socket's end for the worker's death.

Runs in the launcher's forks: the standard library only, and little of it.

Messages from the worker: a packed Program; then lines `end SECONDS`.
Messages to it, a line each:

    started PID TIME
    failed JSON                                   final; what hindered the start, as program.py says it
    ended STATUS SIGNALLED CPU_SECONDS TIME       final; STATUS as waitpid gives it, SIGNALLED 0 or 1
    broken JSON                                   why this shim gives up, a string
"""

import json
import os
import resource
import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

from saltant.worker import prctl, processes
from saltant.worker.program import Program, become

HURRY = signal.SIGUSR1
"""Sent to a shim: end the job at once, without grace."""

_LOOK_AGAIN = 0.05  # seconds between two looks for processes that missed their SIGTERM
_HOLD = 0.05  # seconds that a program may take to stop
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.5  # seconds between rounds of SIGKILL


def shim(link: int, stdout: int, stderr: int) -> NoReturn:
    """Be the shim of one job; ends the process. Exit status 0 says that nothing of the job is left."""
    status = 1
    try:
        os.setsid()
        prctl.become_subreaper()
        Shim(link).run(stdout, stderr)
        status = 0
    except (OSError, ValueError) as error:
        _say(link, b"broken " + json.dumps(str(error)).encode())
    finally:
        os._exit(status)


class Shim:
    """One job's watch."""

    def __init__(self, link: int) -> None:
        self.link = link
        self.wakeup, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self.me = os.getpid()
        self.main = 0
        self.status: int | None = None  # the program's own, as waitpid gives it
        self.signalled = False  # whether a signal was sent to the program while it ran
        self.deadline: float | None = None  # when SIGTERM's grace is over
        self.terminated: set[tuple[int, int]] = set()
        self.ending_since = 0  # in ticks, like the start of a process
        self.next_look = 0.0
        self.pause = _FIRST_PAUSE
        self.grace = 0.0
        self.rest = b""

    def run(self, stdout: int, stderr: int) -> None:
        """Start the program, watch it, end what it leaves behind and tell the worker."""
        message = _receive(self.link)
        if message is None:
            return
        program = Program.unpack(message)
        self.grace = program.grace
        began = time.time()
        failure = self.start(program, stdout, stderr)
        if failure is not None:
            _say(self.link, b"failed " + failure)
            return
        _say(self.link, b"started %d %f" % (self.main, began))
        os.close(stdout)
        os.close(stderr)
        self.watch()
        if self.status is None:
            raise ValueError("the program's status got lost")  # rather none than a wrong one
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = usage.ru_utime + usage.ru_stime
        _say(self.link, b"ended %d %d %f %f" % (self.status, self.signalled, cpu, time.time()))

    def start(self, program: Program, stdout: int, stderr: int) -> bytes | None:
        """Fork and execute; returns what hindered it. The report pipe ends by itself when execve succeeds."""
        report, write = os.pipe2(os.O_CLOEXEC)
        try:
            self.main = os.fork()
        except OSError as error:
            return json.dumps({"stage": "fork", "errno": error.errno, "message": error.strerror, "path": ""}).encode()
        if self.main == 0:
            become(program, stdout, stderr, write, self.me)
        os.close(write)
        failure = os.read(report, 65536)  # less than a pipe holds, so written at once
        os.close(report)
        if failure:
            os.waitpid(self.main, 0)
        return failure or None

    def watch(self) -> None:
        """Return when no process of the job is left."""
        poller = select.poll()
        poller.register(self.wakeup, select.POLLIN)
        poller.register(self.link, select.POLLIN)
        while self.reap():
            if self.status is not None and self.deadline is None:
                self.end(self.grace)  # the program ended by itself and left others behind
                continue
            for fd, _ in poller.poll(self.step()):
                if fd == self.wakeup:
                    if HURRY in os.read(self.wakeup, 4096):
                        self.end(0)
                elif not self.listen():
                    poller.unregister(self.link)

    def reap(self) -> bool:
        """Collect who has ended; False if nobody is left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.main:
                    self.status = status
        except ChildProcessError:
            return False

    def listen(self) -> bool:
        """Do what the worker says; False if it is no more."""
        try:
            data = os.read(self.link, 4096)
        except OSError:
            data = b""
        if not data:
            self.end(self.grace)
            return False
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.end(float(line.removeprefix(b"end ")))
        return True

    def end(self, grace: float) -> None:
        """Begin to end everything, SIGKILL following in `grace` seconds; said again, it can only come sooner."""
        now = time.monotonic()
        if self.deadline is None:
            self.ending_since = int(time.clock_gettime(time.CLOCK_BOOTTIME) * processes.TICKS_PER_SECOND)
            self.deadline = now + grace
            if not self.signalled:
                self.signalled = self.hold()
            if grace > 0:
                self.terminate(self.ending_since + 1)
        else:
            self.deadline = min(self.deadline, now + grace)

    def hold(self) -> bool:
        """Stop the program for a moment to be sure that it has not ended by itself yet: False if it has."""
        if self.status is not None:
            return False
        try:
            os.kill(self.main, signal.SIGSTOP)  # our own child, not waited for: its number cannot be another's
        except PermissionError:
            return False  # a set-user-ID program; it can only be waited for
        until = time.monotonic() + _HOLD
        while time.monotonic() < until:
            result = os.waitid(os.P_PID, self.main, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            if result is not None:
                return result.si_code not in (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED)
            time.sleep(0.0002)
        return True

    def step(self) -> float | None:
        """Take the next step of ending, if that is under way; returns how long to sleep, in milliseconds."""
        if self.deadline is None:
            return None
        now = time.monotonic()
        left = self.deadline - now
        if left <= 0:
            processes.freeze_and_kill(self.tree)
            self.pause = min(self.pause * 1.5, _LAST_PAUSE)
            return self.pause * 1000
        if now < self.next_look:
            return min(left, self.next_look - now) * 1000
        self.next_look = now + _LOOK_AGAIN
        # What a program forks to clean up after itself keeps the whole grace: only those from before are told.
        told = self.terminate(self.ending_since)
        return min(left, _LOOK_AGAIN) * 1000 if told else left * 1000

    def terminate(self, before: int) -> int:
        """SIGTERM to all who were started before a time, once each; SIGCONT, as a stopped one would not hear it."""
        told = 0
        for seen in list(self.tree()):
            if seen.start < before and (seen.pid, seen.start) not in self.terminated:
                self.terminated.add((seen.pid, seen.start))
                told += processes.send(seen, signal.SIGTERM, signal.SIGCONT)
        return told

    def tree(self) -> Iterator[processes.Seen]:
        """All living processes of the job."""
        return processes.descendants(self.me)


def _receive(link: int) -> bytes | None:
    """The message that the worker begins with; None if the worker went away."""
    head = _read(link, 4)
    return _read(link, int.from_bytes(head, "big")) if head else None


def _read(link: int, length: int) -> bytes | None:
    """Exactly so much: an order to end may follow."""
    data = b""
    while len(data) < length:
        part = os.read(link, length - len(data))
        if not part:
            return None
        data += part
    return data


def _say(link: int, line: bytes) -> None:
    with suppress(OSError):  # if the worker is gone the job is ended all the same
        os.write(link, line + b"\n")
