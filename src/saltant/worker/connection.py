"""The worker's end of one launcher process and of its shims."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from array import array
from contextlib import suppress
from pathlib import Path

import saltant
from saltant.worker.frames import ORDER, RUN
from saltant.worker.leftovers import LAUNCHER_VARIABLE

log = logging.getLogger("saltant.worker")

_CODE = "import sys; sys.path.append(sys.argv[2]); from saltant.worker.launcher import main; main(int(sys.argv[1]))"
_ROOT = str(Path(saltant.__file__).parents[1])
_PACKET = 4096


class LauncherFailed(Exception):
    """The launcher could not be started."""


class Link:
    """One shim, as the worker sees it. Not for several threads at once, but for `order`."""

    def __init__(self, number: int, connection: "Connection", sock: socket.socket) -> None:
        self.number = number
        self.connection = connection
        self.jobs = 0
        self._socket = sock

    def run(self, program: bytes, stdout: int, stderr: int) -> int:
        """Have a packed program started; returns the job's number. OSError if the shim is no more: then it was not."""
        self.jobs += 1
        data = ORDER.pack(RUN, self.jobs, len(program)) + program
        fds = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [stdout, stderr]))]
        sent = self._socket.sendmsg([data], fds)
        if sent < len(data):
            self._socket.sendall(memoryview(data)[sent:])
        return self.jobs

    def order(self, data: bytes) -> None:
        """Send an order. OSError if the shim is no more."""
        self._socket.sendall(data)

    def read(self, length: int) -> bytes:
        """Wait for so many bytes; fewer when the shim is no more."""
        data = b""
        while len(data) < length:
            try:
                part = self._socket.recv(length - len(data), socket.MSG_WAITALL)
            except OSError:
                break
            if not part:
                break
            data += part
        return data

    def close(self) -> None:
        """Let the shim end."""
        self._socket.close()


class Connection:
    """One launcher process, for as long as it lives."""

    def __init__(self, data: Path) -> None:
        self.is_dead = False
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._gone: dict[int, str] = {}
        self._shims = 0
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {LAUNCHER_VARIABLE: str(data)}
        if "LD_LIBRARY_PATH" in os.environ:  # where the interpreter itself needs it
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        try:
            with theirs:
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-X", "utf8", "-c", _CODE, str(theirs.fileno()), _ROOT],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=environment,
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            self._control.close()
            raise LauncherFailed(f"The launcher could not be started: {error}") from error
        threading.Thread(target=self._listen, name="saltant-launcher", daemon=True).start()

    def make_link(self) -> Link:
        """A new shim. BrokenPipeError or ConnectionResetError if the launcher is no more."""
        ours, theirs = socket.socketpair()
        with theirs, self._sending:
            try:
                if self.is_dead:
                    raise BrokenPipeError
                self._shims += 1
                socket.send_fds(self._control, [json.dumps({"start": self._shims}).encode()], [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
            return Link(self._shims, self, ours)

    def kill(self, link: Link) -> bool:
        """Kill a shim, which makes the launcher end its job; False if the launcher is no more."""
        with self._sending:
            if self.is_dead:
                return False
            try:
                self._control.send(json.dumps({"kill": link.number}).encode())
            except OSError:
                return False
        return True

    def wait_until_gone(self, link: Link) -> str | None:
        """What the launcher says when nothing of a lost shim's job is left; None if the launcher is lost too."""
        with self._changed:
            self._changed.wait_for(lambda: link.number in self._gone or self.is_dead)
            return self._gone.pop(link.number, None)

    def close(self, timeout: float) -> None:
        """Let it end; `timeout` in seconds."""
        with self._sending, suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)  # what it still has to say is heard until it ends
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            log.warning("The launcher (process %d) still waits for jobs to end.", self.process.pid)

    def _listen(self) -> None:
        while True:
            try:
                data = self._control.recv(_PACKET)
            except OSError:
                data = b""
            if not data:
                break
            message = json.loads(data)
            with self._changed:
                self._gone[message["gone"]] = message["message"]
                self._changed.notify_all()
        with self._sending:
            self.is_dead = True
            self._control.close()
        with self._changed:
            self._changed.notify_all()
        self.process.wait()
