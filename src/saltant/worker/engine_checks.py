"""What `saltant check` says of the engines that run containers. A worker without any is nothing wrong."""

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from saltant.checks import Part, Wrong
from saltant.config import Settings
from saltant.worker.assembly import containers_of
from saltant.worker.cgroups import Cgroups
from saltant.worker.environment import Environment
from saltant.worker.folders import WorkerFolders
from saltant.worker.launch import Launcher
from saltant.worker.run_as import RunAs
from saltant.worker.runners import Tools

FILES_OF_ROOT = (
    "what containers write as root this user can neither read nor delete: set SALTANT_CONTAINER_USER=self, or use a "
    "rootless engine"
)


def engine_parts(settings: Settings) -> list[Part]:
    """A part for each kind of containers."""
    return [
        Part("docker", lambda: check_docker(settings), is_remote=True),
        Part("singularity", lambda: check_singularity(settings), is_remote=True),
    ]


def check_docker(settings: Settings) -> str:
    """Which engine runs Docker containers, and whether what they write can be read."""
    from saltant.worker.runners.docker_engine import Engine, EngineAway, EngineRefused

    _check_registry_auth(settings.registry_auth)
    engine = Engine(settings.docker_host)
    try:
        why = engine.why_not()
        if why and settings.docker_host:
            raise Wrong(why, "Correct SALTANT_DOCKER_HOST, or start the engine.")
        if why:
            return f"no Docker containers here: {why}"
        with engine.asked() as client:
            info, version = client.info(), client.version()
    except (EngineAway, EngineRefused) as error:
        return f"no Docker containers here: {error}"
    finally:
        engine.close()
    is_rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    name = "Podman" if "podman" in str(version.get("Components", "")).lower() else "Docker"
    found = f"{name} {version.get('Version', '')}{', rootless,' if is_rootless else ''} at {engine.host}"
    if os.geteuid() == 0 or is_rootless or settings.container_user == "self":
        return found
    return f"{found}; {FILES_OF_ROOT}"


def check_singularity(settings: Settings) -> str:
    """Whether Singularity containers can be started, which is tried."""
    from saltant.worker.runners.singularity import SingularityRunner

    user = None
    with suppress(ValueError, PermissionError):  # "run-as" tells of it
        user = RunAs.named(settings.run_as) if settings.run_as else None
    with tempfile.TemporaryDirectory(prefix="saltant-check-") as name:
        data = Path(name)
        data.chmod(0o711)  # as a worker's own folder is: jobs of another user pass through
        folders = WorkerFolders(data, user)
        folders.make()
        launcher = Launcher(data)
        containers = replace(containers_of(data, settings), images=data / "images")
        environment = Environment(os.environ, settings.job_environment)
        try:
            runner = SingularityRunner(Tools(folders, launcher, environment, Cgroups(data), containers=containers))
            why = runner.why_not()
        finally:
            launcher.close()
    return f"no Singularity containers here: {why}" if why else "a container was started"


def _check_registry_auth(path: str) -> None:
    if not path:
        return
    try:
        is_right = isinstance(json.loads(Path(path).expanduser().read_bytes()), dict)
    except OSError as error:
        raise Wrong(f"SALTANT_REGISTRY_AUTH names {path}, which cannot be read: {error.strerror}.", AUTH) from None
    except ValueError:
        is_right = False
    if not is_right:
        raise Wrong(f"SALTANT_REGISTRY_AUTH names {path}, which is no JSON object.", AUTH)


AUTH = "Name a file as `docker login` makes it: a config.json."
