"""What every worker is made of, alone or within `saltant up`."""

import logging
import os
import secrets
import string
from collections.abc import Callable, Collection
from pathlib import Path

from saltant.config import Settings
from saltant.folders import write_private
from saltant.worker.cgroups import Cgroups
from saltant.worker.environment import Environment
from saltant.worker.folders import WorkerFolders
from saltant.worker.gpus import GpuPool
from saltant.worker.launch import Launcher
from saltant.worker.leftovers import kill_leftovers
from saltant.worker.run_as import RunAs
from saltant.worker.runners import Containers, Tools

log = logging.getLogger("saltant.worker")

IDENTITY = "worker-identity"
"""The file of a worker's folder by which its server knows it again."""


def make_tools(
    data: Path, settings: Settings, *, worker: str, server: Callable[[], str], gpus: Collection[str] = ()
) -> Tools:
    """Make a worker's folders, end what is left of an earlier life there, and give what its runners work with.

    To be called by who holds the folder's lock. `server` asks for what tells the worker's server from others.

    Raises:
        OSError, ValueError: a sentence that says what is wrong.
    """
    cgroups = Cgroups(data)
    run_as = RunAs.named(settings.run_as) if settings.run_as else None
    folders = WorkerFolders(data, run_as)
    folders.make()
    # Shims end their jobs when their worker dies, but they may still be at it, or have been killed too.
    kill_leftovers(data, timeout=settings.kill_grace + 10)
    folders.sweep()
    cgroups.sweep()
    if run_as is None and os.geteuid() == 0:
        log.warning(
            "saltant runs as root, and so do all jobs: whoever may submit is as good as root on this machine."
            " Choose another user for them with --run-as USER."
        )
    return Tools(
        folders=folders,
        launcher=Launcher(data),
        environment=Environment(os.environ, settings.job_environment),
        cgroups=cgroups,
        kill_grace=settings.kill_grace,
        containers=containers_of(data, settings, worker=worker, server=server, gpus=gpus),
        gpus=GpuPool(len(gpus)),
    )


def containers_of(
    data: Path, settings: Settings, *, worker: str = "", server: Callable[[], str] = str, gpus: Collection[str] = ()
) -> Containers:
    """How the worker of a folder runs containers."""
    return Containers(
        server=server,
        worker=worker,
        images=Path(settings.images_dir).expanduser() if settings.images_dir else data / "images",
        docker_host=settings.docker_host,
        registry_auth=Path(settings.registry_auth).expanduser() if settings.registry_auth else None,
        pull_timeout=settings.pull_timeout,
        pull_tries=settings.pull_tries,
        gpus=gpus,
        user=settings.container_user,
    )


def identity_of(data: Path) -> str:
    """What tells the worker of this folder from another of its name: made once. Raises OSError."""
    path = data / IDENTITY
    try:
        identity = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        identity = ""
    if not (16 <= len(identity) <= 64 and set(identity) <= set(string.ascii_letters + string.digits + "-_")):
        identity = secrets.token_urlsafe(24)
        write_private(path, identity)
    return identity
