"""Runs containers of a real Docker engine in the test's own process, without a worker's loop around."""

import os
import select
import shutil
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from saltant.jobs import Attempt, Job, Kind
from saltant.worker.cgroups import Cgroups
from saltant.worker.environment import Environment
from saltant.worker.folders import WorkerFolders
from saltant.worker.launch import Launcher
from saltant.worker.run_as import RunAs
from saltant.worker.runners.base import Containers, Tools
from saltant.worker.runners.docker import DockerRunner
from tests.services.docker import IMAGE
from tests.unit.worker.container_rig import Going, Ran
from tests.unit.worker.rig import until


class DockerRig:
    """A runner over a folder."""

    def __init__(
        self,
        data: Path,
        host: str,
        *,
        run_as: RunAs | None = None,
        values: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.folders = WorkerFolders(data, run_as)
        self.folders.make()
        containers = Containers(
            server=lambda: "test", worker="rig", images=data / "images", docker_host=host, **options
        )
        tools = Tools(
            self.folders,
            Launcher(data),
            Environment(values or {}),
            Cgroups(data),
            kill_grace=0.5,
            containers=containers,
        )
        self.launcher = tools.launcher
        self.runner = DockerRunner(tools)

    def start(self, command: str, arguments: dict[str, Any] | None = None, **more: Any) -> Going:
        job = Job(
            Attempt(uuid4(), 1),
            Kind.DOCKER,
            command,
            arguments or {},
            container_image=more.pop("image", IMAGE),
            **more,
        )
        return Going(self.runner, job)  # type: ignore[arg-type]

    def run(self, command: str, arguments: dict[str, Any] | None = None, **more: Any) -> Ran:
        return self.ran(self.start(command, arguments, **more))

    def ran(self, going: Going) -> Ran:
        """What became of it, once it has ended."""
        end = going.wait()
        folders = self.folders.of(going.job.attempt)
        stdout = folders.stdout.read_bytes() if folders.stdout.exists() else b""
        stderr = folders.stderr.read_text() if folders.stderr.exists() else ""
        assert not folders.work.exists()
        return Ran(going.job, end, stdout, stderr)

    def said(self, uuid: UUID, text: str) -> None:
        """Wait until a job has printed a word."""
        path = self.folders.logs / str(uuid) / f"{uuid}-stdout.txt"
        until(lambda: path.exists() and text in path.read_text(), f"it did not say {text}")

    def close(self) -> None:
        self.runner.close(5)
        self.launcher.close(5)
        shutil.rmtree(self.folders.data)


class Wire:
    """A socket before an engine's own, whose connections can be cut while the engine goes on."""

    def __init__(self, path: Path, target: str) -> None:
        self.host = f"unix://{path}"
        self._target = target.removeprefix("unix://")
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut what is connected now."""
        for pair in list(self._pairs):
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything, and take nothing new."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._pairs.append((client, server))
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        others = {client: server, server: client}
        with suppress(OSError), client, server:
            while True:
                ready, _, _ = select.select(list(others), [], [])
                for end in ready:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    others[end].sendall(data)


def mounted() -> set[str]:
    """What this process sees mounted below temporary folders."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line.split()[4] for line in lines if "/tmp/saltant-docker" in line}


def processes_of(folder: Path) -> list[int]:
    """The processes in whose words a folder stands."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.fsencode(folder) in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.append(int(entry.parent.name))
    return found
