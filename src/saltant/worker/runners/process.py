"""What the runners of processes share: a job's program as a process of its own, through the launcher."""

import os
import posixpath
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from saltant.commands import words_of_command
from saltant.jobs import End, Job
from saltant.reasons import Reason
from saltant.worker.cgroups import CannotLimit
from saltant.worker.connection import LauncherFailed
from saltant.worker.folders import JobFolders
from saltant.worker.gpus import NoGpuFree
from saltant.worker.launch import Launch, Process
from saltant.worker.outcomes import to_end
from saltant.worker.runners.base import AreLive, Tools
from saltant.worker.running import Running


class CannotRunError(Exception):
    """A job cannot be started; says how it ends instead."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.end = End(reason=reason, message=message)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is started for a job.

    Attributes:
        argv: its words.
        environment: all of its environment.
        passes_on: whether it passes a SIGTERM on to its processes itself.
    """

    argv: list[str]
    environment: Mapping[str, str]
    passes_on: bool = False


class ProcessRunner:
    """Runs jobs whose program is started by the launcher. Subclasses say what that is."""

    def __init__(self, tools: Tools) -> None:
        self._folders = tools.folders
        self._launcher = tools.launcher
        self._environment = tools.environment
        self._cgroups = tools.cgroups
        self._grace = tools.kill_grace
        self._umask = tools.umask
        self._gpus = tools.gpus

    def run(self, job: Job, running: Running) -> End:
        """Run a job from its start until nothing of it is alive, ending it when `running` says so."""
        with ExitStack() as held:
            try:
                # First of all: then every attempt has folders of its own, and each one's are filed under its number.
                held.callback(self._folders.discard, job.attempt, None)
                return self._run(job, running, self._folders.prepare(job.attempt), held)
            except CannotRunError as error:
                return error.end
            except OSError as error:
                return End(Reason.WORKER_ERROR, f"What it needs could not be made on the worker: {error}")
            except (CannotLimit, LauncherFailed, ValueError) as error:
                return End(Reason.WORKER_ERROR, str(error))

    def why_not(self) -> str:
        """Why jobs of this kind cannot be run here now, in a sentence; empty: they can."""
        return ""

    def sweep(self, are_live: AreLive) -> None:
        """The launcher leaves nothing."""

    def close(self, timeout: float) -> None:
        """Let the launcher end."""
        self._launcher.close(timeout)

    def _run(self, job: Job, running: Running, folders: JobFolders, held: ExitStack) -> End:
        raise NotImplementedError

    def _take_gpus(self, job: Job, held: ExitStack) -> dict[str, str]:
        """What tells its program which GPUs are its own. Nothing keeps it from the others."""
        if not job.gpus:
            return {}
        try:
            taken = held.enter_context(self._gpus.take(job.gpus))
        except NoGpuFree as error:
            raise CannotRunError(Reason.WORKER_ERROR, str(error)) from None
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, taken))}

    def _carry_out(self, job: Job, running: Running, folders: JobFolders, plan: Plan, held: ExitStack) -> End:
        """Start what is planned, and wait for its end."""
        cgroup = None
        if job.memory is not None or job.cpus is not None:
            cgroup = self._cgroups.make(f"{job.attempt.uuid}.{job.attempt.number}", job.memory, job.cpus)
            held.callback(cgroup.remove)
        if running.reason is not None:
            return End(running.reason, "It was ended before its program was started.")
        places = [] if cgroup is None else [str(folder) for folder in cgroup.folders]
        with self._start(job, folders, plan, places, running) as process:
            running.attach(process, None if job.timeout is None else job.timeout + self._grace)
            outcome = process.wait()
            return to_end(outcome, running.reason, job, None if cgroup is None else cgroup.usage())

    def _start(self, job: Job, folders: JobFolders, plan: Plan, cgroups: list[str], running: Running) -> Process:
        words = [_encode(word) for word in plan.argv]
        variables = {os.fsencode(name): os.fsencode(value) for name, value in plan.environment.items()}
        stdout = self._folders.open_log(folders.stdout)
        try:
            running.follow("stdout", stdout)
            stderr = self._folders.open_log(folders.stderr)
            try:
                running.follow("stderr", stderr)
                return self._launcher.start(
                    Launch(
                        argv=words,
                        environment=variables,
                        folder=folders.work,
                        stdout=stdout,
                        stderr=stderr,
                        grace=self._grace,
                        umask=self._umask,
                        run_as=self._folders.run_as,
                        timeout=job.timeout,
                        cgroups=cgroups,
                        passes_on=plan.passes_on,
                    )
                )
            finally:
                os.close(stderr)
        finally:
            os.close(stdout)


def split_command(command: str) -> list[str]:
    """The words of a command, of which there is at least one."""
    try:
        words = words_of_command(command)
    except ValueError as error:
        raise CannotRunError(Reason.WORKER_ERROR, f"Its command cannot be split into words: {error}.") from None
    if not words:
        raise CannotRunError(Reason.COMMAND_NOT_FOUND, "Its command is empty.")
    return words


def check_length(words: Sequence[str]) -> None:
    """CannotRunError if a word is longer than Linux gives to any program."""
    most = 32 * os.sysconf("SC_PAGE_SIZE") - 1
    for word in words:
        length = len(word.encode("utf-8", "surrogatepass"))
        if length > most:
            raise CannotRunError(
                Reason.WORKER_ERROR,
                f"A word of its command, or its arguments, takes {length} bytes, and no program can be given more than"
                f" {most} in one: hand over the name of a file instead.",
            )


def check_paths(job: Job) -> None:
    """CannotRunError unless its folders can be mounted where its type says: an engine may take it, and lose them."""
    paths = [path for path in (job.logs_path, job.results_path) if path]
    for path in paths:
        if not path.startswith("/") or "\0" in path or not _plain(path):
            raise CannotRunError(
                Reason.WORKER_ERROR,
                f"Its logs_path and results_path must be absolute paths in its image, beneath /, not {path!r}.",
            )
    if len({_plain(path) for path in paths}) < len(paths):
        raise CannotRunError(
            Reason.WORKER_ERROR, f"Its logs_path and results_path are one, {paths[0]}: give it two folders."
        )


def _plain(path: str) -> str:
    return posixpath.normpath(path).strip("/")


def _encode(word: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise CannotRunError(Reason.WORKER_ERROR, "Its command has a character that is none.") from None
