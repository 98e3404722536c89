"""One job's watch: from its program's start until nothing of it is left.

Runs in shims: the standard library only, and little of it.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from saltant.worker import processes
from saltant.worker.frames import ENDED, SIGNALLED, TIMED_OUT, Report
from saltant.worker.program import Program
from saltant.worker.sampling import Sampler

HURRY = signal.SIGUSR1
"""Sent to a shim: end the job at once, without grace."""

ORPHANED = signal.SIGUSR2
"""Sent to a shim when its launcher dies: end the job. Without the launcher nobody would clean up after the shim."""

_LOOK_AGAIN = 0.05  # seconds between two looks for processes that missed their SIGTERM
_HOLD = 0.05  # seconds that a program may take to stop
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.5  # seconds between rounds of SIGKILL
_LONGEST = 3600.0  # seconds to sleep at once: poll takes no more than 24 days


class Watch:
    """Watches over one job, and ends it.

    Args:
        program: what was started.
        main: its process, our child.
    """

    def __init__(self, program: Program, main: int) -> None:
        self.program = program
        self.main = main
        self.me = os.getpid()
        self.status: int | None = None  # the program's own, as waitpid gives it
        self.flags = 0
        self.cpu_seconds = 0.0
        self.timeout_at = float("inf") if program.timeout is None else time.monotonic() + program.timeout
        self.deadline: float | None = None  # when SIGTERM's grace is over
        self.terminated: set[tuple[int, int]] = set()
        self.ending_since = 0  # in ticks, like the start of a process
        self.next_look = 0.0
        self.pause = _FIRST_PAUSE
        self.sampler = Sampler(self.me)

    def run(self, poller: select.poll, wakeup: int, listen: Callable[["Watch"], None]) -> Report:
        """Return when no process of the job is left. `poller` looks at `wakeup` and at what `listen` is for."""
        while self.reap():
            if self.status is not None and self.deadline is None:
                self.end(self.program.grace)  # the program ended by itself and left others behind
                continue
            for fd, _ in poller.poll(min(self.step(), _LONGEST) * 1000):
                if fd != wakeup:
                    listen(self)
                    continue
                signals = os.read(wakeup, 4096)
                if HURRY in signals:
                    self.end(0)
                elif ORPHANED in signals:
                    self.end(self.program.grace)
        if self.status is None:
            raise ValueError("the program's status got lost")  # rather none than a wrong one
        return Report(ENDED, 0, self.status, self.flags, time.time(), self.cpu_seconds, self.sampler.peak)

    def reap(self) -> bool:
        """Collect who has ended; False if nobody is left."""
        try:
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return True
                self.cpu_seconds += usage.ru_utime + usage.ru_stime
                self.sampler.count(usage.ru_maxrss)
                if pid == self.main:
                    self.status = status
        except ChildProcessError:
            return False

    def end(self, grace: float, flags: int = 0) -> None:
        """Begin to end everything, SIGKILL following in `grace` seconds; said again, it can only come sooner.

        `flags` are reported if this is what the program is signalled for.
        """
        now = time.monotonic()
        if self.deadline is None:
            self.ending_since = int(time.clock_gettime(time.CLOCK_BOOTTIME) * processes.TICKS_PER_SECOND)
            self.deadline = now + grace
            if self.hold():
                self.flags = SIGNALLED | flags
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

    def step(self) -> float:
        """Do what is to be done now; returns in how many seconds there may be more."""
        now = time.monotonic()
        if self.deadline is None and now >= self.timeout_at:
            self.end(self.program.grace, TIMED_OUT)
        if self.deadline is None:
            return min(self.timeout_at - now, self.sampler.look(now))
        left = self.deadline - now
        if left <= 0:
            self.kill()
            self.pause = min(self.pause * 1.5, _LAST_PAUSE)
            return self.pause
        if now < self.next_look:
            return min(left, self.next_look - now)
        self.next_look = now + _LOOK_AGAIN
        # What a program forks to clean up after itself keeps the whole grace: only those from before are told.
        told = self.terminate(self.ending_since)
        return min(left, _LOOK_AGAIN) if told else left

    def kill(self) -> None:
        """A round of SIGKILL to all."""
        for cgroup in self.program.cgroups:
            with suppress(OSError):  # version 1 has no such file
                kill = os.open(cgroup + b"/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
                os.write(kill, b"1")
                os.close(kill)
        processes.freeze_and_kill(self.tree)

    def terminate(self, before: int) -> int:
        """SIGTERM to all who were started before a time, once each; SIGCONT, as a stopped one would not hear it."""
        told = 0
        for seen in list(self.listeners()):
            if seen.start < before and (seen.pid, seen.start) not in self.terminated:
                self.terminated.add((seen.pid, seen.start))
                told += processes.send(seen, signal.SIGTERM, signal.SIGCONT)
        return told

    def listeners(self) -> Iterator[processes.Seen]:
        """Who is to be sent SIGTERM."""
        if self.program.passes_on and self.status is None:
            return (seen for seen in [processes.look(self.main)] if seen is not None)
        return self.tree()

    def tree(self) -> Iterator[processes.Seen]:
        """All living processes of the job."""
        return processes.descendants(self.me)
