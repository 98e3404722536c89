"""Machines that can be cut off: network namespaces on one bridge, joined by veth pairs. They need root and iproute2."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.base import Missing, program
from tests.services.fixtures import absent

CLONE_NEWNET = 0x40000000
HERE = Path("/proc/thread-self/ns/net")


class Namespaces:
    """A namespace `server` with a bridge, and others that hang on it. Nothing outside of them is touched.

    Args:
        names: the others.
    """

    def __init__(self, *names: str) -> None:
        self.ip = program("ip")
        self.mark = f"saltant-{os.getpid()}"
        self.addresses = {name: f"10.83.77.{number}" for number, name in enumerate(("server", *names), start=1)}

    def __enter__(self) -> "Namespaces":
        try:
            for name in self.addresses:
                self._run("netns", "add", self._full(name))
                self._run("-n", self._full(name), "link", "set", "lo", "up")
            self._in_server("link", "add", "bridge", "type", "bridge")
            self._in_server("address", "add", f"{self.addresses['server']}/24", "dev", "bridge")
            self._in_server("link", "set", "bridge", "up")
            for name in list(self.addresses)[1:]:
                peer = ["peer", "name", "eth0", "netns", self._full(name)]
                self._in_server("link", "add", "name", name, "type", "veth", *peer)
                self._in_server("link", "set", "dev", name, "master", "bridge", "up")
                self._run("-n", self._full(name), "address", "add", f"{self.addresses[name]}/24", "dev", "eth0")
                self._run("-n", self._full(name), "link", "set", "eth0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.addresses:
            self._run("netns", "delete", self._full(name), check=False)  # with all links in it

    def cut_off(self, name: str) -> None:
        """Pull the cable of a namespace."""
        self._in_server("link", "set", "dev", name, "down")

    def join(self, name: str) -> None:
        """Put it in again."""
        self._in_server("link", "set", "dev", name, "up")

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Have this thread, and what it starts, be in a namespace."""
        before = os.open(HERE, os.O_RDONLY)
        try:
            within = os.open(f"/run/netns/{self._full(name)}", os.O_RDONLY)
            try:
                _enter(within)
            finally:
                os.close(within)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(before)

    def _full(self, name: str) -> str:
        return f"{self.mark}-{name}"

    def _in_server(self, *words: str) -> None:
        self._run("-n", self._full("server"), *words)

    def _run(self, *words: str, check: bool = True) -> None:
        done = subprocess.run([self.ip, *words], capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def obtain(*names: str) -> Iterator[Namespaces]:
    """Such namespaces; the test is skipped, and the run says so, where there can be none."""
    try:
        if os.geteuid() != 0:
            raise Missing("only root makes them")
        made = Namespaces(*names).__enter__()
    except (Missing, OSError) as error:
        absent["network namespaces"] = str(error)
        pytest.skip(f"network namespaces are not to be had: {error}.")
    try:
        yield made
    finally:
        made.__exit__()


def _enter(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
