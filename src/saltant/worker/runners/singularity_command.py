"""How Apptainer is asked for a job's container: its words and its environment."""

import csv
import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from saltant.commands import words_of_arguments
from saltant.jobs import Job, Network
from saltant.reasons import Reason
from saltant.worker.folders import JobFolders
from saltant.worker.run_as import RunAs
from saltant.worker.runners.process import CannotRunError, check_length, check_paths, split_command
from saltant.worker.runners.singularity_program import both

HOME = "/tmp"  # noqa: S108 - in the container: an empty folder of its own
"""Where a container's program starts, and what its HOME is: a SIF file does not keep the image's own working folder."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = {"HOME", "UID", "EUID", "GID", "PREPEND_PATH", "APPEND_PATH"}


def isolation(run_as: RunAs | None) -> list[str]:
    """The words that keep a container apart from the machine; as root, without root's rights."""
    uid = os.geteuid() if run_as is None else run_as.uid
    words = ["--containall", "--cleanenv", "--pid", "--no-eval", "--no-home", "--home", HOME, "--pwd", HOME]
    return [*words, "--no-privs"] if uid == 0 else words


def make_command(program: str, image: Path, job: Job, folders: JobFolders, run_as: RunAs | None) -> list[str]:
    """All words, from the program's own to the job's. CannotRunError if it asks for what Apptainer cannot do."""
    if job.shm_size is not None:
        raise CannotRunError(
            Reason.WORKER_ERROR, "Apptainer cannot set the size of /dev/shm: leave shm_size out of its task type."
        )
    if job.container_user:
        raise CannotRunError(
            Reason.WORKER_ERROR,
            f"Apptainer runs containers as the jobs' own user and cannot become {job.container_user!r}: leave"
            " container_user out of its task type.",
        )
    check_paths(job)
    words = [program, "--silent", "exec", *isolation(run_as), "--workdir", str(folders.work)]
    if not job.read_only_root:
        words.append("--writable-tmpfs")
    if job.network == Network.NONE:
        words += ["--net", "--network", "none"]
    if job.gpus:
        words.append("--nv")
    for source, target in ((folders.logs, job.logs_path), (folders.results, job.results_path)):
        if target:
            words += ["--mount", mount(source, target)]
    words += ["--", str(image), *split_command(job.command_to_run)]
    words += words_of_arguments(json.dumps(job.arguments), None, str)
    check_length(words)
    return words


def make_environment(path: str, folders: JobFolders, uuid: str, values: Mapping[str, str]) -> dict[str, str]:
    """The environment of the program that makes the container, whose own is `values`.

    They travel in the environment, which nobody else can read, and arrive byte for byte. The program's own folders are
    the attempt's, and JOB_LOGS_DIRECTORY is the mark by which leftovers are found.
    """
    for name, value in values.items():
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise CannotRunError(
                Reason.ENVIRONMENT_MISSING,
                f"Environment variable {name} cannot be given to a container by Apptainer, which takes only letters,"
                f" digits and _ in a name, and keeps {', '.join(sorted(_RESERVED))} for itself.",
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise CannotRunError(
                Reason.ENVIRONMENT_MISSING,
                f"Environment variable {name} is no UTF-8 text, which is all that Apptainer can give to a container.",
            ) from None
    work = str(folders.work)
    return {
        "PATH": path,
        "HOME": work,
        "JOB_UUID": uuid,
        "JOB_LOGS_DIRECTORY": str(folders.logs),
        **both({"_CONFIGDIR": f"{work}/config", "_CACHEDIR": f"{work}/cache", "_TMPDIR": work}),
        **both({f"ENV_{name}": value for name, value in values.items()}),
    }


def mount(source: Path, target: str) -> str:
    """The value of --mount: fields as CSV, so that commas, colons and quotes in a path are just that."""
    if "\n" in f"{source}{target}":
        raise CannotRunError(Reason.WORKER_ERROR, f"Apptainer cannot mount at {target!r}: it has a line break.")
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"destination={target}"])
    return line.getvalue()
