"""Starts saltant and looks at what it leaves behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from saltant import Client
from saltant.models.executable_task_instance import ExecutableTaskInstance
from saltant.models.executable_task_type import ExecutableTaskType
from saltant.models.task_queue import TaskQueue

SALTANT = [sys.executable, "-m", "saltant"]
START = 60.0
"""Seconds a start may take on a slow machine. Only a bound: tests go on as soon as it is ready."""


class Site:
    """A saltant that runs, however it is made up, as an admin who looks at its folder sees it.

    Attributes:
        url: the API's.
        token: the admin's.
        data_dir: the folder of the worker, with logs and results.
    """

    url: str
    token: str
    data_dir: Path

    @cached_property
    def client(self) -> Client:
        """A client of the admin's."""
        return Client(self.url, self.token)

    def executable(self, command: str, **options: Any) -> ExecutableTaskType:
        """A new task type that the queue `default` runs."""
        name = options.pop("name", f"type-{uuid.uuid4()}")
        created = self.client.executable_task_types.create(name=name, command_to_run=command, **options)
        self.client.task_whitelists.get(name="default").add(executable_task_types=[created.id])
        return created

    def submit(self, task_type: ExecutableTaskType, arguments: dict[str, Any] | None = None) -> ExecutableTaskInstance:
        """An instance on the queue `default`."""
        queue = self.client.task_queues.get(name="default")
        return self.client.executable_task_instances.create(task_type.id, queue.id, arguments)

    def run(self, task_type: ExecutableTaskType, arguments: dict[str, Any] | None = None) -> ExecutableTaskInstance:
        """An instance that has ended."""
        return self.submit(task_type, arguments).wait_until_finished(0.02, timeout=START)

    def log(self, instance: ExecutableTaskInstance, stream: str = "stdout") -> str:
        """What an instance printed so far."""
        path = self.data_dir / "logs" / instance.uuid / f"{instance.uuid}-{stream}.txt"
        return path.read_text() if path.exists() else ""

    def result(self, instance: ExecutableTaskInstance, name: str) -> str:
        """A text file of an instance's results folder."""
        return (self.data_dir / "results" / instance.uuid / name).read_text()

    def own_queue(self) -> TaskQueue:
        """A queue that nobody else uses and a worker serves."""
        whitelist = self.client.task_whitelists.get(name="default")
        return self.client.task_queues.create(f"queue-{uuid.uuid4()}", whitelists=[whitelist.id])


class Up(Site):
    """A `saltant up` on a folder, in a process of its own."""

    def __init__(
        self, data_dir: Path, *options: str, environ: dict[str, str] | None = None, output: Path | None = None
    ) -> None:
        self.data_dir = data_dir
        self.options = options
        self.environ = os.environ | (environ or {})
        self.process: subprocess.Popen[str] | None = None
        self.output = output or data_dir.with_name(data_dir.name + "-output.txt")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        command = [*SALTANT, "up", "--data-dir", str(self.data_dir), "--port", "0", *self.options]
        with self.output.open("a") as stderr:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=self.environ, start_new_session=True
            )
        self.__dict__.pop("client", None)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready" in line, f"{line}{self.output.read_text()}"
        self.url = next(word for word in line.split() if word.startswith("http"))

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = START) -> int:
        """Stop it politely; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(sig)
        return self.process.wait(timeout)

    def kill(self) -> None:
        """Kill it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def token(self) -> str:  # type: ignore[override]
        """The admin's token."""
        return (self.data_dir / "admin-token").read_text().strip()


def wait_until(condition: Callable[[], object], what: str, bound: float = START) -> None:
    """Wait for a condition; `bound` seconds at most."""
    end = time.monotonic() + bound
    while not condition():
        assert time.monotonic() < end, f"not within {bound} s: {what}"
        time.sleep(0.01)


def processes_of(job: str) -> Iterator[int]:
    """The processes whose environment names the job, by its UUID."""
    marker = f"JOB_UUID={job}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if marker in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
