"""The launcher: one small single-threaded process that forks shims.

A fresh interpreter, so that it has no threads, no locks and little memory: forking it is quick and safe. It has a
session of its own, so a terminal's Ctrl-C does not reach the jobs. It is a subreaper as well: when a shim is killed,
the job's processes become its children, it kills them all, and then tells the worker.

Messages from the worker, one JSON object a packet: `{"start": ID}` with a new shim's socket as file descriptor, and
`{"kill": ID}` for a shim that does not answer. Messages to it: `{"gone": ID, "message": TEXT}` when a shim ended
otherwise than it should and nothing of its job is left.

The standard library only, and little of it.
"""

import gc
import json
import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Never

from saltant.worker import prctl, processes
from saltant.worker.shim import shim
from saltant.worker.watch import HURRY, ORPHANED

_HANDLED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, HURRY, ORPHANED}
_PACKET = 4096
_PAUSE = 10  # milliseconds between two rounds against a killed shim's processes


def main(control_fd: int) -> None:
    """Serve until the worker is gone and no shim is left."""
    prctl.become_subreaper()
    prctl.set_name(b"saltant-launch")
    # Its worker's end is what ends it. Handled, not ignored: then execve brings back the default for the programs. And
    # SIGCHLD and HURRY are to write into the wakeup pipe.
    for signum in signal.valid_signals():
        if signum in _HANDLED or signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    launcher = Launcher(socket.socket(fileno=control_fd))
    gc.disable()
    gc.freeze()  # a collection in a fork would copy every page
    launcher.serve()


class Launcher:
    """The launcher's one loop."""

    def __init__(self, control: socket.socket) -> None:
        control.set_inheritable(False)
        self.control = control
        self.wakeup, self.write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.write, warn_on_full_buffer=False)
        self.me = os.getpid()
        self.shims: dict[int, int] = {}  # process number → id
        self.gone: list[int] = []  # shims that were killed and whose job's processes may live
        self.has_worker = True

    def serve(self) -> None:
        """The loop: ends when the worker and all shims have."""
        poller = select.poll()
        poller.register(self.wakeup, select.POLLIN)
        poller.register(self.control, select.POLLIN)
        while self.has_worker or self.shims or self.gone:
            for fd, _ in poller.poll(_PAUSE if self.gone else None):
                if fd == self.wakeup:
                    os.read(self.wakeup, 4096)
                elif not self.listen():
                    poller.unregister(self.control)
                    self.has_worker = False
                    for pid in self.shims:
                        os.kill(pid, signal.SIGCONT)  # one that somebody stopped must see the worker's end too
            self.reap()
            if self.gone:
                self.clear()

    def listen(self) -> bool:
        """Do what the worker says; False if it is no more."""
        try:
            # Not socket.recv_fds: Python 3.11's forgets its flags, and the jobs would inherit the descriptors.
            data, extra, _, _ = self.control.recvmsg(_PACKET, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
        except OSError:
            return False
        if not data:
            return False
        message = json.loads(data)
        if "start" in message:
            self.start(message["start"], list(memoryview(b"".join(part for _, _, part in extra)).cast("i")))
        for pid, number in self.shims.items():
            if number == message.get("kill"):
                os.kill(pid, signal.SIGKILL)  # our own child, not waited for: its number cannot be another's
        return True

    def start(self, number: int, fds: list[int]) -> None:
        """Fork a shim."""
        try:
            (link,) = fds
            pid = os.fork()
        except (OSError, ValueError) as error:
            self.tell({"gone": number, "message": f"no process could be made for it: {error}"})
        else:
            if pid == 0:
                self.become_shim(link)
            self.shims[pid] = number
        for fd in fds:
            os.close(fd)

    def become_shim(self, link: int) -> Never:
        """In the fork: let go of what is the launcher's."""
        try:
            self.control.close()
            os.close(self.wakeup)
            os.close(self.write)
            shim(link, self.me)
        finally:
            os._exit(1)

    def reap(self) -> None:
        """Collect who has ended: shims, and what they left if they were killed."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                number = self.shims.pop(pid, None)
                if number is not None and status != 0:
                    self.gone.append(number)
        except ChildProcessError:
            return

    def clear(self) -> None:
        """A round against all who are no shim's; when none is left the worker is told."""
        processes.freeze_and_kill(self.strays)
        self.reap()
        if not any(pid not in self.shims for pid in processes.children(self.me)):
            for number in self.gone:
                self.tell({"gone": number, "message": ""})
            self.gone.clear()

    def strays(self) -> Iterator[processes.Seen]:
        """All descendants that no living shim watches."""
        return processes.descendants(self.me, skip=self.shims)

    def tell(self, message: dict[str, Any]) -> None:
        """Say something to the worker, if it is there."""
        with suppress(OSError):
            self.control.send(json.dumps(message).encode())
