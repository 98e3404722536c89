"""Pulls an image for Apptainer, again if that may help, for as long as its job is wanted."""

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from saltant.jobs import Job
from saltant.reasons import Reason
from saltant.worker.folders import WorkerFolders
from saltant.worker.launch import Launcher, Outcome, Process
from saltant.worker.runners.base import Containers
from saltant.worker.runners.process import CannotRunError
from saltant.worker.runners.singularity_program import both, call, own_words
from saltant.worker.running import Running

_PASSED_ON = re.compile(r"(https?|all|no|ftp)_proxy|SSL_CERT_(FILE|DIR)|HOME|LANG|LC_ALL", re.IGNORECASE)
"""What of the worker's environment a pull needs: its proxies, certificates and the home with its user's settings."""

_LOOPBACK = re.compile(r"(docker|oras)://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?/")
_IS_PLAIN = "server gave HTTP response to HTTPS client"
_FINAL = re.compile(
    r"manifest unknown|name unknown|repository name not known|not found|no such file|unauthorized|denied|forbidden"
    r"|authentication required|invalid|no space left|unsupported|no default remote",
    re.IGNORECASE,
)
"""Failures that another try would only repeat."""

_PAUSES = (1.0, 5.0, 20.0)  # seconds between tries; the last for all that follow
_LOOK = 0.05  # seconds


class Pulling:
    """What is ended when a job is that waits for its image: at once, for nothing of it is of use."""

    started: datetime | None = None  # the job's program was not

    def __init__(self, process: Process) -> None:
        self._process = process

    def end(self, grace: float) -> None:
        """End the pull."""
        self._process.end(0)

    def force(self) -> None:
        """End it by other means."""
        self._process.force()


class Puller:
    """Pulls images.

    Args:
        containers: how images are pulled.
        launcher: starts the program.
        folders: the worker's.
        environ: the worker's environment.
    """

    def __init__(
        self,
        containers: Containers,
        launcher: Launcher,
        folders: WorkerFolders,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._containers = containers
        self._launcher = launcher
        self._folders = folders
        self._environ = environ

    def pull(self, program: str, name: str, path: Path, job: Job, running: Running) -> None:
        """Have the image called `name` at `path`, in a folder of its own. CannotRunError if it cannot be had."""
        credentials = credentials_for(name, self._containers.registry_auth)
        is_plain = False
        tried = 0
        while True:
            outcome, text = self._try(pull_command(program, name, path, is_plain), credentials, path, job, running)
            if outcome.status == 0 and path.exists():
                return
            if not is_plain and _IS_PLAIN in text and _LOOPBACK.match(name):
                is_plain = True  # as Docker has it: registries on this very machine need no TLS
                continue
            tried += 1
            why = self._tell(outcome, text, credentials)
            if tried >= self._containers.pull_tries or _FINAL.search(why):
                tries = "" if tried == 1 else f" in {tried} tries"
                raise CannotRunError(Reason.IMAGE_PULL_FAILED, f"{name} could not be pulled{tries}: {why}.")
            _rest(_PAUSES[min(tried, len(_PAUSES)) - 1], running)

    def _try(
        self, argv: list[str], credentials: tuple[str, str] | None, path: Path, job: Job, running: Running
    ) -> tuple[Outcome, str]:
        folder = path.parent
        path.unlink(missing_ok=True)
        environment = {name: value for name, value in self._environ.items() if _PASSED_ON.fullmatch(name)}
        environment |= {
            "PATH": self._environ.get("PATH", os.defpath),
            "JOB_UUID": str(job.attempt.uuid),
            "JOB_LOGS_DIRECTORY": str(self._folders.of(job.attempt).logs),  # by which a killed worker's is found
            **both({"_TMPDIR": str(folder), "_CACHEDIR": str(folder / "cache")}),
        }
        if self._containers.docker_host:
            environment["DOCKER_HOST"] = self._containers.docker_host
        if credentials is not None:
            username, password = credentials
            environment |= both({"_DOCKER_USERNAME": username, "_DOCKER_PASSWORD": password})
        stop_if_ended(running)
        pull = call(self._launcher, argv, environment, folder, timeout=self._containers.pull_timeout)
        running.attach(Pulling(pull.process))
        outcome, text = pull.wait()
        stop_if_ended(running)
        return outcome, text

    def _tell(self, outcome: Outcome, text: str, credentials: tuple[str, str] | None) -> str:
        if outcome.timed_out:
            return f"it took longer than {self._containers.pull_timeout:g} s"
        if outcome.status is None:
            return outcome.message or "the program that pulls it could not be started"
        words = own_words(text) or text.strip()[-500:] or f"it ended with wait status {outcome.status}"
        if credentials is not None:
            words = words.replace(credentials[1], "***")
        return words.rstrip(".")


def pull_command(program: str, name: str, path: Path, is_plain: bool) -> list[str]:
    """The words that pull an image: from the engine of Docker it is built, which needs no registry."""
    if name.startswith("docker-daemon:"):
        return [program, "--silent", "build", "--disable-cache", str(path), name]
    return [program, "--silent", "pull", "--disable-cache", *(["--no-https"] if is_plain else []), str(path), name]


def credentials_for(name: str, registry_auth: Path | None) -> tuple[str, str] | None:
    """User and password for an image's registry; None if there are none."""
    scheme, _, rest = name.partition("://")
    if scheme not in ("docker", "oras") or not rest:
        return None
    import docker.auth  # slow to load
    import docker.errors

    try:
        registry, _ = docker.auth.resolve_repository_name(rest)
        config = docker.auth.load_config(None if registry_auth is None else str(registry_auth))
        found = config.resolve_authconfig(registry) or {}
    except docker.errors.DockerException as error:
        raise CannotRunError(
            Reason.IMAGE_PULL_FAILED, f"The credentials for {name} cannot be used: {type(error).__name__}."
        ) from None
    username, password = found.get("username") or found.get("Username"), found.get("password") or found.get("Password")
    return (username, password) if username and password else None


def stop_if_ended(running: Running) -> None:
    """CannotRunError if the job's end was ordered."""
    if running.reason is not None:
        raise CannotRunError(running.reason, "It was ended while its image was being made ready.")


def _rest(seconds: float, running: Running) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stop_if_ended(running)
        with suppress(InterruptedError):
            time.sleep(_LOOK)
