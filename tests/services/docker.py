"""A Docker engine for the tests, with containers of its own alone, and images made without a registry."""

import io
import os
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker

from tests.services import leftovers
from tests.services.apptainer import make_root
from tests.services.base import Missing, Service, program

IMAGE = "saltant-tests:1"
"""An image with busybox, /logs and /results, which every engine here has."""

OWN_NETWORKS = {"bridge", "host", "none", "podman"}
"""Networks that engines make for themselves."""

# Its mounts are seen by nobody else and go with its last process, however that ends. Those of the machine it sees come
# and go. What it and containerd would keep in places of the system is in folders of this view alone.
_ENTER = """
mkdir -p /run/containerd /etc/docker
mount -t tmpfs none /run/containerd
mount -t tmpfs none /etc/docker
exec "$@"
"""


_PODMAN_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
"""


class Docker(Service):
    """A Docker engine. A kill keeps its images and containers, as a crash does."""

    name = "docker"

    def __init__(self, *options: str) -> None:
        self.programs = [program(name) for name in ("dockerd", "unshare", "busybox")]
        if os.getuid() != 0:
            raise Missing("only root can start a Docker engine")
        self.options = options
        super().__init__()
        leftovers.FOLDERS.append(self.folder)

    @property
    def url(self) -> str:
        """Where it is, as DOCKER_HOST says it."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def cgroup(self) -> str:
        """Below which its containers are."""
        return self.folder.name

    def prepare(self) -> None:
        """Its configuration is what it is started with: the machine's own is not read."""
        (self.folder / "daemon.json").write_text("{}")

    def command(self) -> Sequence[str]:
        """The engine in the foreground. Containers have a loopback network, or the machine's."""
        dockerd, unshare, _ = self.programs
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "docker.pid", "config-file": "daemon.json"}
        return [
            *(unshare, "--mount", "--propagation", "slave", "/bin/sh", "-ec", _ENTER, "enter"),
            *(dockerd, "--host", self.url, *(f"--{name}={self.folder / file}" for name, file in places.items())),
            *("--iptables=false", "--ip6tables=false", "--bridge=none", "--shutdown-timeout=2"),
            *(f"--cgroup-parent=/{self.cgroup}", *self.options),
        ]

    def environ(self) -> Mapping[str, str]:
        """Its environment: it starts programs of the system's."""
        return {**super().environ(), "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}

    def answers(self) -> bool:
        """Whether it serves clients; it gets its image with that."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.folder / "docker.sock"))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            if b" 200 " not in client.recv(100):
                return False
        if not (self.folder / "image").exists():
            self.import_image(IMAGE)
            (self.folder / "image").touch()
        return True

    def client(self) -> docker.DockerClient:
        """A client of its own for a test."""
        return docker.DockerClient(self.url, version="auto", timeout=60)

    def load_image(self, name: str, packed: bytes, changes: Sequence[str]) -> None:
        """Take an image as a tar of its files."""
        repository, _, tag = name.rpartition(":")
        client = self.client()
        try:
            client.api.import_image_from_data(packed, repository, tag, list(changes))  # type: ignore[arg-type]
        finally:
            client.close()

    def import_image(self, name: str, files: Mapping[str, str] | None = None, changes: Sequence[str] = ()) -> None:
        """Make an image of busybox, of `files` by their paths, and of changes as in a Dockerfile."""
        packed = io.BytesIO()
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(make_root(Path(folder), files), arcname=".")
        self.load_image(name, packed.getvalue(), ["WORKDIR /app", *changes])

    def left(self) -> dict[str, Any]:
        """What there is of containers, volumes and networks beyond the engine's own."""
        client = self.client()
        try:
            return {
                "containers": [
                    (each["Names"] or [each["Id"]])[0].lstrip("/") for each in client.api.containers(all=True)
                ],
                "volumes": [each.id for each in client.volumes.list()],
                "networks": sorted({str(each.name) for each in client.networks.list()} - OWN_NETWORKS),
            }
        finally:
            client.close()

    def stop(self) -> None:
        """Stop it for good; what it still has is told when all tests are over."""
        if self.is_running:
            kept = self.left()
            leftovers.KEPT += [f"{self.name}: {what} {each}" for what, found in kept.items() for each in found]
        super().stop()

    def shut_down(self) -> None:
        """Stop it; the cgroups, which it does not remove, go too."""
        super().shut_down()
        remove_cgroups(self.cgroup)


class Podman(Docker):
    """Podman behind Docker's interface, without a bridge network of its own."""

    name = "podman"

    def __init__(self) -> None:
        self.podman = program("podman")
        super().__init__()

    @property
    def cgroup(self) -> str:
        """Below which its containers are: Podman's own choice."""
        return "libpod_parent"

    def prepare(self) -> None:
        """Its configuration is not the machine's."""
        (self.folder / "containers.conf").write_text(_PODMAN_CONF)
        (self.folder / "registries.conf").write_text('[[registry]]\nlocation = "127.0.0.1"\n')

    def podman_command(self, *words: str) -> list[str]:
        """Podman's own program over the same containers."""
        places = {"root": "data", "runroot": "run", "tmpdir": "tmp"}
        folders = [f"--{name}={self.folder / file}" for name, file in places.items()]
        return [self.podman, *folders, "--cgroup-manager=cgroupfs", "--events-backend=file", "--runtime=runc", *words]

    def command(self) -> Sequence[str]:
        """The service in the foreground."""
        unshare = [self.programs[1], "--mount", "--propagation", "slave", "/bin/sh", "-ec", _ENTER, "enter"]
        return [*unshare, *self.podman_command("system", "service", "--time=0", self.url)]

    def environ(self) -> Mapping[str, str]:
        """Its environment: it starts programs of the system's."""
        return {**super().environ(), "CONTAINERS_CONF": str(self.folder / "containers.conf")}

    def load_image(self, name: str, packed: bytes, changes: Sequence[str]) -> None:
        """Take an image as a tar of its files."""
        options = [word for change in changes for word in ("--change", change)]
        words = self.podman_command("import", *options, "-", f"localhost/{name}")
        subprocess.run(words, input=packed, env=self.environ(), capture_output=True, timeout=60, check=True)


def remove_cgroups(name: str) -> None:
    """Remove the cgroups of that name, which are empty."""
    for base in Path("/sys/fs/cgroup").glob(f"**/{name}"):
        for folder, _, _ in os.walk(base, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106 - the files in it go with it
