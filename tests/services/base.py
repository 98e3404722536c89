"""What the services share: a guarded process, a folder, a port."""

import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.services.ports import free_port

GUARD = Path(__file__).with_name("guard.py")
START = 90.0
"""Seconds a start may take on a busy machine. Only a bound."""


class Missing(Exception):
    """A program that a service needs is not installed. The message names it."""


class Service:
    """A service that can be started, killed and started again with the same data.

    Args:
        host: the address to listen on.
        tls: speak TLS alone, with a certificate by the authority `ca`. PostgreSQL cannot.
    """

    name = "service"
    stops_by = signal.SIGTERM

    def __init__(self, *, host: str = "127.0.0.1", tls: bool = False) -> None:
        self.host = host
        self.tls = tls
        if tls:
            program("openssl")
        self.port = free_port(host)
        self.uid, self.gid = os.getuid(), os.getgid()
        # Straight under /tmp, whose every part another user may pass.
        self.folder = Path(tempfile.mkdtemp(prefix=f"saltant-{self.name}-"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, with user and password."""
        raise NotImplementedError

    @property
    def ca(self) -> Path:
        """The certificate of the authority that clients must trust."""
        return self.folder / "ca.pem"

    def connect(self) -> socket.socket:
        """A bare connection."""
        plain = socket.create_connection((self.host, self.port), timeout=5)
        if not self.tls:
            return plain
        context = ssl.create_default_context(cafile=str(self.ca))
        return context.wrap_socket(plain, server_hostname=self.host)

    @property
    def output(self) -> str:
        """What it printed."""
        kept = self.folder / "output.txt"
        return kept.read_text(errors="replace") if kept.exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    def prepare(self) -> None:
        """Make what the first start needs."""

    def command(self) -> Sequence[str]:
        """The program and its arguments."""
        raise NotImplementedError

    def environ(self) -> Mapping[str, str]:
        """Its environment."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": str(self.folder)}

    def answers(self) -> bool:
        """Whether it serves clients. May raise OSError for no."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start it, and wait until it serves clients."""
        assert not self.is_running, f"{self.name} runs already"
        if not (self.folder / "prepared").exists():
            self.prepare()
            (self.folder / "prepared").touch()
        arguments = [str(self.folder), str(self.uid), str(self.gid), *self.command()]
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *arguments],
                stdin=subprocess.PIPE,
                bufsize=0,
                stdout=output,
                stderr=output,
                env=self.environ(),
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait_until_it_answers()
        return self

    def settle(self) -> None:
        """Have it write to its disk whatever it would write there sooner or later."""

    def kill(self) -> None:
        """Kill it with all of its processes, as a crash would; its data stay."""
        if self.process is not None:
            assert self.process.stdin is not None
            with suppress(BrokenPipeError):  # it is gone already
                self.process.stdin.write(b"k")
            self._gone()

    def stop(self) -> None:
        """Stop it politely, and remove its folder."""
        self.shut_down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def shut_down(self) -> None:
        """Stop it politely; its data stay."""
        if self.process is not None:
            self.process.send_signal(self.stops_by)
            try:
                self.process.wait(START)
            except subprocess.TimeoutExpired:
                self.kill()
                return
            self._gone()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _gone(self) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.wait(START)
        self.process.stdin.close()
        self.process = None

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + START
        while not self._answers():
            ran = self.is_running
            if not ran or time.monotonic() > end:
                said = self.output[-5000:]
                self.kill()
                raise AssertionError(f"{self.name} {'does not answer' if ran else 'ended'}:\n{said}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False


def program(name: str, *places: str) -> str:
    """The path of a program: in one of the folders `places`, which may hold wildcards, or on the PATH.

    Raises:
        Missing: it is nowhere.
    """
    for place in places:
        found = sorted(Path("/").glob(f"{place.lstrip('/')}/{name}"))
        if found:
            return str(found[-1])
    on_path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if on_path is None:
        raise Missing(f"the program {name} is not installed")
    return on_path


def unprivileged(*names: str) -> pwd.struct_passwd:
    """The first of these users that this machine has."""
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing(f"there is no user {' or '.join(names)}")
