"""The shim: parent of a job's program, that does not go on to another job before nothing of this one is left.

It is a subreaper: whoever in the job calls setsid or forks twice ends up as its child, so when waitpid knows no child
there is no descendant either. It listens to its worker on a socket, and takes that socket's end for the worker's death.
A job's timeout is kept here, where neither a stalled worker nor a dead one prolongs it.

Runs in the launcher's forks: the standard library only, and little of it. frames.py says what worker and shim say.
"""

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from typing import NoReturn

from saltant.worker import prctl
from saltant.worker.frames import BROKEN, END, FAILED, NOT_STARTED, ORDER, STARTED, Report
from saltant.worker.program import CannotStartError, Program, start
from saltant.worker.watch import ORPHANED, Watch

_FDS = socket.CMSG_SPACE(2 * 4)


def shim(link: int, launcher: int) -> NoReturn:
    """Be a shim of the process `launcher`; ends the process. Exit status 0 says that nothing of a job is left."""
    status = 1
    try:
        os.setsid()
        prctl.become_subreaper()
        prctl.die_with_parent(ORPHANED)  # the shim is woken by it, and sees its job off
        Shim(socket.socket(fileno=link), launcher).serve()
        status = 0
    finally:
        os._exit(status)


class Shim:
    """Serves its worker: one job after another."""

    def __init__(self, link: socket.socket, launcher: int) -> None:
        self.link = link
        self.launcher = launcher
        self.wakeup, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self.poller = select.poll()
        self.poller.register(self.wakeup, select.POLLIN)
        self.poller.register(self.link, select.POLLIN)
        self.data = b""
        self.fds: list[int] = []  # stdout and stderr of the job that was received last
        self.job = 0
        self.has_worker = True

    def serve(self) -> None:
        """Return when the worker is gone."""
        while self.has_worker:
            program = self.next()
            with suppress(BlockingIOError):
                os.read(self.wakeup, 4096)  # signals that were for the job before
            if program is None or os.getppid() != self.launcher:
                return
            self.run(program)

    def run(self, program: Program) -> None:
        """Start a program, watch it, end what it leaves behind and tell the worker."""
        fds, self.fds = self.fds, []
        reported = Report(NOT_STARTED).pack()
        try:
            if len(fds) != 2:
                raise ValueError("its logs did not arrive, for want of file descriptors")
            stdout, stderr = fds
            began = time.time()
            main = start(program, stdout, stderr)
            reported = b""
            self.say(Report(STARTED, main, time=began).pack())
            os.close(stdout)
            os.close(stderr)
            self.say(Watch(program, main).run(self.poller, self.wakeup, self.listen).pack())
        except CannotStartError as error:
            os.close(stdout)
            os.close(stderr)
            self.say(reported + Report(FAILED, len(error.hindrance)).pack() + error.hindrance)
        except (OSError, ValueError) as error:
            why = json.dumps(str(error)).encode()
            self.say(reported + Report(BROKEN, len(why)).pack() + why)
            raise

    def next(self) -> Program | None:
        """The next job's program; None if the worker is gone."""
        while True:
            while len(self.data) < ORDER.size:
                if not self.receive():
                    return None
            kind, job, length = ORDER.unpack_from(self.data)
            self.data = self.data[ORDER.size :]
            if kind == END:
                continue  # too late: that job has ended
            while len(self.data) < length:
                if not self.receive():
                    return None
            data, self.data = self.data[:length], self.data[length:]
            self.job = job
            return Program.unpack(data)

    def listen(self, watch: Watch) -> None:
        """Do what the worker says while a job runs."""
        if not self.receive():
            self.poller.unregister(self.link)
            watch.end(watch.program.grace)
        while len(self.data) >= ORDER.size:
            _, job, milliseconds = ORDER.unpack_from(self.data)
            self.data = self.data[ORDER.size :]
            if job == self.job:
                watch.end(milliseconds / 1000)

    def receive(self) -> bool:
        """Read what has come; False if the worker is gone."""
        try:
            # Not socket.recv_fds: Python 3.11's forgets its flags, and the jobs would inherit the descriptors.
            data, extra, _, _ = self.link.recvmsg(65536, _FDS, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            data, extra = b"", []
        if extra:
            self.fds = list(memoryview(b"".join(part for _, _, part in extra)).cast("i"))
        self.data += data
        self.has_worker = bool(data)
        return self.has_worker

    def say(self, data: bytes) -> None:
        """Tell the worker; if it is gone the job is ended all the same."""
        with suppress(OSError):
            self.link.sendall(data)
