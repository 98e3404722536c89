"""What the Docker engine is asked for: a job's container, limit by limit."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saltant.commands import words_of_arguments
from saltant.jobs import Attempt, Job, Network
from saltant.reasons import Reason
from saltant.worker.folders import JobFolders
from saltant.worker.run_as import RunAs
from saltant.worker.runners.docker_engine import Facts
from saltant.worker.runners.process import CannotRunError, check_length, split_command

SERVER, WORKER, INSTANCE, ATTEMPT = (f"org.saltant.{name}" for name in ("server", "worker", "instance", "attempt"))
"""Labels of every container: whose it is."""

LOG_SIZE, LOG_FILES = 10 << 20, 3
"""How much of its output an engine keeps: bytes of one file, and files."""

_SELF = "self"
_TMP = "/tmp"  # noqa: S108 - in the container


@dataclass(frozen=True, slots=True)
class Who:
    """As whom a container runs: `user` as engines take it (empty: as its image says), and more groups."""

    user: str = ""
    groups: Sequence[str] = ()

    @property
    def is_owner(self) -> bool:
        """Whether it surely is the user who owns the job's folders."""
        return bool(self.groups) or self.user == own_user()


def own_user() -> str:
    """The worker's own user."""
    return f"{os.geteuid()}:{os.getegid()}"


def choose_user(job: Job, run_as: RunAs | None, setting: str) -> Who:
    """As whom a job's container runs. CannotRunError if its type wants somebody else than the worker allows."""
    if run_as is not None:
        own = f"{run_as.uid}:{run_as.gid}"
        if job.container_user not in ("", own, str(run_as.uid), run_as.name):
            raise CannotRunError(
                Reason.WORKER_ERROR,
                f"Its task type wants it to run as {job.container_user}, but all jobs of this worker run as"
                f" {run_as.name} ({own}): leave container_user empty.",
            )
        return Who(own, [str(group) for group in run_as.groups] or [str(run_as.gid)])
    if job.container_user:
        return Who(job.container_user)
    return Who(own_user() if setting == _SELF else setting)


def make_words(job: Job) -> list[str]:
    """What follows the image: the command's words, then the arguments as one word."""
    words = split_command(job.command_to_run) if job.command_to_run.strip() else []  # its image has a program then
    words += words_of_arguments(json.dumps(job.arguments), None, str)
    for word in words:
        if not _is_text(word) or "\0" in word:
            raise CannotRunError(Reason.WORKER_ERROR, "Its command has a character that no program can be given.")
    check_length(words)
    return words


def make_environment(values: Mapping[str, str]) -> list[str]:
    """The environment as engines take it: as text."""
    for name, value in values.items():
        if not _is_text(value):
            raise CannotRunError(
                Reason.ENVIRONMENT_MISSING,
                f"Environment variable {name} is no UTF-8 text, which is all that a Docker engine can give to a"
                " container.",
            )
        if not name or "=" in name or not _is_text(name):
            raise CannotRunError(Reason.ENVIRONMENT_MISSING, f"{name!r} is no name of an environment variable.")
    return [f"{name}={value}" for name, value in values.items()]


def make_labels(attempt: Attempt, server: str, worker: str) -> dict[str, str]:
    """A container's labels."""
    return {SERVER: server, WORKER: worker, INSTANCE: str(attempt.uuid), ATTEMPT: str(attempt.number)}


def make_config(
    job: Job,
    *,
    image: str,
    words: Sequence[str],
    environment: Sequence[str],
    labels: Mapping[str, str],
    folders: JobFolders,
    who: Who,
    gpus: Sequence[int],
    facts: Facts,
) -> dict[str, Any]:
    """A container as the engine's interface takes it. CannotRunError if the engine cannot limit what is to be limited.

    Its network is by default what the engine gives. It can get no more rights than it starts with, and an init of its
    own, which ends zombies and without which most programs would not heed SIGTERM.
    """
    mounts = [
        {"Type": "bind", "Source": str(source), "Target": target}
        for source, target in ((folders.logs, job.logs_path), (folders.results, job.results_path))
        if target
    ]
    host: dict[str, Any] = {
        "NetworkMode": job.network if job.network in (Network.NONE, Network.HOST) else "default",
        "Mounts": mounts,
        "SecurityOpt": ["no-new-privileges"],
        "GroupAdd": list(who.groups),
        "LogConfig": _log_config(facts),
        **_limits(job, facts),
    }
    if facts.has_init:
        host["Init"] = True
    if job.read_only_root:
        host["ReadonlyRootfs"] = True
        if all(mount["Target"].rstrip("/") != _TMP for mount in mounts):
            host["Tmpfs"] = {_TMP: "rw,nosuid,nodev,mode=1777"}
    if job.shm_size is not None:
        host["ShmSize"] = job.shm_size
    if gpus:
        host["DeviceRequests"] = [
            {"Driver": "", "DeviceIDs": [str(number) for number in gpus], "Capabilities": [["gpu"]]}
        ]
    config: dict[str, Any] = {
        "Image": image,
        "Env": list(environment),
        "Labels": dict(labels),
        "User": who.user,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": host,
    }
    if not facts.is_podman:  # which asks systemd to end what never began
        config["Healthcheck"] = {"Test": ["NONE"]}  # nobody looks at it, and each look would be one more process
    if words:
        config["Cmd"] = list(words)
    return config


def _limits(job: Job, facts: Facts) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if job.memory is not None:
        if not facts.limits_memory:
            raise CannotRunError(Reason.WORKER_ERROR, "This worker's container engine cannot limit memory.")
        limits |= {"Memory": job.memory, "MemorySwap": job.memory}  # both together: no swap beyond it
    # More processors than there are is no limit; engines do not take it.
    if job.cpus is not None and (facts.cpus is None or job.cpus < facts.cpus):
        if not facts.limits_cpus:
            raise CannotRunError(Reason.WORKER_ERROR, "This worker's container engine cannot limit processor time.")
        limits["NanoCpus"] = max(10_000_000, round(job.cpus * 1e9))
    return limits


def _log_config(facts: Facts) -> dict[str, Any]:
    """The end of the output is kept by the engine too: it is what a broken connection is made good with.

    Not all of it, or a job that prints much would fill the engine's disk.
    """
    if facts.is_podman:
        return {"Type": "k8s-file", "Config": {"max-size": f"{LOG_SIZE}"}}
    return {"Type": "local", "Config": {"max-size": f"{LOG_SIZE >> 20}m", "max-file": str(LOG_FILES)}}


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
