"""Runs containers of Apptainer in the test's own process, without a worker's loop around."""

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from saltant.jobs import Attempt, End, Job, Kind
from saltant.reasons import Reason
from saltant.worker.cgroups import Cgroups
from saltant.worker.environment import Environment
from saltant.worker.folders import WorkerFolders
from saltant.worker.launch import Launcher
from saltant.worker.run_as import RunAs
from saltant.worker.runners.base import Containers, Tools
from saltant.worker.runners.singularity import SingularityRunner
from saltant.worker.running import Running
from tests.services import Missing, fixtures, leftovers
from tests.services.apptainer import Apptainer, make_root
from tests.unit.worker.rig import BOUND


@dataclass
class Ran:
    """A job that was run, and what it printed."""

    job: Job
    end: End
    stdout: bytes
    stderr: str


class Going:
    """A job on its way."""

    def __init__(self, runner: SingularityRunner, job: Job) -> None:
        self.job = job
        self.running = Running(job.attempt)
        self.ended: End | None = None
        self._runner = runner
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self, grace: float = 0.5) -> None:
        self.running.end(Reason.CANCELLED, grace)

    def wait(self) -> End:
        self._thread.join(BOUND)
        assert self.ended is not None, "it did not end"
        return self.ended

    def _run(self) -> None:
        self.ended = self._runner.run(self.job, self.running)


class ContainerRig:
    """A runner over a folder."""

    def __init__(
        self,
        data: Path,
        path: str,
        *,
        run_as: RunAs | None = None,
        values: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.folders = WorkerFolders(data, run_as)
        self.folders.make()
        self.launcher = Launcher(data)
        self.images = options.pop("images", data / "images")
        containers = Containers(server=lambda: "test", worker="rig", images=self.images, **options)
        self.tools = Tools(
            self.folders,
            self.launcher,
            Environment({"PATH": path} | (values or {})),
            Cgroups(data),
            kill_grace=0.5,
            containers=containers,
        )
        self.runner = SingularityRunner(self.tools)

    def start(self, image: Path | str, command: str, arguments: dict[str, Any] | None = None, **more: Any) -> Going:
        attempt = Attempt(uuid4(), 1)
        job = Job(attempt, Kind.SINGULARITY, command, arguments or {}, container_image=str(image), **more)
        return Going(self.runner, job)

    def run(self, image: Path | str, command: str, arguments: dict[str, Any] | None = None, **more: Any) -> Ran:
        going = self.start(image, command, arguments, **more)
        end = going.wait()
        folders = self.folders.of(going.job.attempt)
        stdout = folders.stdout.read_bytes() if folders.stdout.exists() else b""
        stderr = folders.stderr.read_text() if folders.stderr.exists() else ""
        assert not folders.work.exists()
        return Ran(going.job, end, stdout, stderr)

    def close(self) -> None:
        self.runner.close(5)


@contextmanager
def image_folder(files: Mapping[str, str] | None = None) -> Iterator[tuple[Apptainer, Path]]:
    """Apptainer, and a folder that every user can reach, with an image of busybox: `box`, and as a file `box.sif`."""
    try:
        apptainer = Apptainer()
    except Missing as missing:
        fixtures.absent[Apptainer.name] = str(missing)
        pytest.skip(f"{Apptainer.name} is not to be had: {missing}.")
    with tempfile.TemporaryDirectory(prefix="saltant-apptainer-", dir="/var/tmp") as name:
        folder = Path(name)
        leftovers.FOLDERS.append(folder)
        folder.chmod(0o711)
        apptainer.build(folder / "box.sif", make_root(folder / "box", files))
        yield apptainer, folder


def peak() -> int:
    """The most memory that this process ever had."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) * 1024


def mounts() -> set[tuple[str, str]]:
    """What this process sees mounted, and where. Other tests mount small disks meanwhile: they go again."""
    lines = [line.split(" ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {(words[0], words[4]) for words in lines}


def processes_with(mark: str) -> list[int]:
    """The living processes in whose words or environment a mark stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(mark) in said and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
